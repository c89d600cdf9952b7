/** What a task waits for, and what of it may come while the run that found it missing is still ending. */
import { describe, expect, it } from "@effect/vitest"
import { Context, Deferred, Effect, Layer, Redacted, TestClock } from "effect"
import { pause } from "../../src/agent/pause.ts"
import type { TaskPaused } from "../../src/agent/outcome.ts"
import * as TaskRun from "../../src/agent/TaskRun.ts"
import { resumeAfterSignIn } from "../../src/http/resumeAfterSignIn.ts"
import { resumeWithSecret } from "../../src/http/resumeWithSecret.ts"
import type * as AppLayer from "../../src/layers/AppLayer.ts"
import * as SandboxProcess from "../../src/layers/SandboxProcess.ts"
import { ForgeTokens } from "../../src/services/ForgeTokens.ts"
import { GitCredentials } from "../../src/services/GitCredentials.ts"
import { Sandbox } from "../../src/services/Sandbox.ts"
import { Secrets } from "../../src/services/Secrets.ts"
import { defaultLimits, type Limits, type Task } from "../../src/services/Task.ts"
import { credentialNeeded, reconnectGitHub, secretNeeded, update } from "../../src/services/TaskCommands.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import { storage } from "../http/door.ts"
import { commitFiles, makeBare } from "../support/gitRepository.ts"
import { describeWithGitServer, gitServer } from "../support/gitServer.ts"
import { modelSettings } from "../support/settings.ts"
import { draftOf, start, these } from "../support/someTasks.ts"
import { userNamed } from "../support/taskQueueFixtures.ts"
import { appLayer, eventsUntil, finished, submit, temporaryDirectory } from "../support/wholeApp.ts"

const layer = storage.pipe(Layer.provideMerge(modelSettings({})))
type Storage = Layer.Layer.Success<typeof layer>

const host = "git.example.com"
const value = Redacted.make("of-some-secret")

const storeCredential = ({ owner }: Pick<Task, "owner">, at = host) =>
  Effect.gen(function* () {
    yield* (yield* GitCredentials).put(owner, at, { kind: "token", value })
    const resume = yield* resumeAfterSignIn
    yield* resume(owner, at)
  })

const signIn = ({ owner }: Task) =>
  Effect.gen(function* () {
    yield* (yield* ForgeTokens).put(owner, host, { token: value, expiresAt: null, refreshToken: null })
    const resume = yield* resumeAfterSignIn
    yield* resume(owner, host)
  })

const storeSecret = (name: string) =>
  Effect.fnUntraced(function* ({ owner }: Task) {
    yield* (yield* Secrets).put(owner, { name, hosts: ["api.example.com"], value })
    const resume = yield* resumeWithSecret
    yield* resume(owner, name)
  })

const raise =
  (limits: Partial<Limits>) =>
  ({ id }: Task) =>
    Effect.flatMap(TaskRepo, (repo) => repo.change(id, update({ limits })))

const atLimit = (reason: string) => ({ reason, limits: defaultLimits })
const shortOfMoney = { ...atLimit("budget_reached"), budget: { limit: "task", neededUsd: 1 } } as const
const shortOfBudget = { ...atLimit("budget_reached"), budget: { limit: "day", neededUsd: 1 } } as const

/** How a run ends that pauses its task for a reason, when something has come before its pause is stored. */
const end = Effect.fnUntraced(function* (
  why: Pick<TaskPaused, "reason" | "budget" | "limits">,
  comes: (task: Task) => Effect.Effect<unknown, unknown, Storage>
) {
  const owner = yield* userNamed("tester")
  const repo = yield* TaskRepo
  const { id } = (yield* repo.create(draftOf(owner, { secrets: ["API_KEY", "OTHER_KEY"] }))).task
  yield* storeSecret("OTHER_KEY")(yield* repo.get(id))
  const { task } = yield* repo.change(id, these(start()))
  const run = yield* TaskRun.make({ task, run: 1 }, new Set())
  yield* TestClock.adjust("1 second")
  yield* Effect.orDie(comes(task))
  const { pausedReason, status } = yield* pause(run, why)
  return `${status} ${pausedReason}`
}, Effect.scoped)

const nothing = () => Effect.void

/** The first sandbox never opens, and who gives it up waits for this. */
const givenUpAfter = (wait: Effect.Effect<void>): AppLayer.Parts["sandbox"] =>
  Layer.map(SandboxProcess.layer, (context) => {
    const sandbox = Context.get(context, Sandbox)
    const open: typeof sandbox.open = (spec) =>
      spec.run === 1 ? Effect.onInterrupt(Effect.never, () => wait) : sandbox.open(spec)
    return Context.add(context, Sandbox, { ...sandbox, open })
  })

describe("a pause", () => {
  // Each seen to fail with a pause that is stored as it is: the task stayed paused.
  it.effect.each([
    ["a credential", credentialNeeded, storeCredential],
    ["a credential instead of a sign-in", reconnectGitHub, storeCredential],
    ["a sign-in", reconnectGitHub, signIn],
    ["the missing secret", secretNeeded, storeSecret("API_KEY")]
  ] as const)("is none when %s has come meanwhile", ([, reason, comes]) =>
    Effect.gen(function* () {
      expect(yield* end({ reason }, comes)).toBe("queued null")
    }).pipe(Effect.provide(layer))
  )

  it.effect.each([
    ["turns", atLimit("turn_limit_reached"), { maxTurns: 101 }],
    ["time", atLimit("time_limit_reached"), { maxDurationSeconds: 7201 }],
    ["money", shortOfMoney, { maxCostUsd: 6 }]
  ] as const)("is none when its limit of %s was raised meanwhile", ([, why, limits]) =>
    Effect.gen(function* () {
      expect(yield* end(why, raise(limits))).toBe("queued null")
    }).pipe(Effect.provide(layer))
  )

  // Seen to fail when whatever is there counts as new.
  it.effect.each([
    ["nothing", { reason: credentialNeeded }, nothing],
    ["nothing", { reason: secretNeeded }, nothing],
    ["nothing", shortOfMoney, nothing],
    ["a credential for another host", { reason: credentialNeeded }, (task) => storeCredential(task, "other.example")],
    ["another secret", { reason: secretNeeded }, storeSecret("THIRD_KEY")],
    ["another limit", shortOfMoney, raise({ maxTurns: 101 })],
    ["a limit of the task's own, and not the budget of the day,", shortOfBudget, raise({ maxCostUsd: 6 })],
    ["something else", { reason: "disk_full" }, storeCredential]
  ] satisfies ReadonlyArray<readonly [string, Parameters<typeof end>[0], Parameters<typeof end>[1]]>)(
    "stays when %s has come meanwhile: %o",
    ([, why, comes]) =>
      Effect.gen(function* () {
        expect(yield* end(why, comes)).toBe(`paused ${why.reason}`)
      }).pipe(Effect.provide(layer))
  )

  it.effect("stays when what is there was there before the run", () =>
    Effect.gen(function* () {
      const owner = yield* userNamed("tester")
      yield* storeCredential({ owner })
      yield* TestClock.adjust("1 second")
      expect(yield* end({ reason: credentialNeeded }, nothing)).toBe(`paused ${credentialNeeded}`)
    }).pipe(Effect.provide(layer))
  )
})

describeWithGitServer("a credential that comes between the refusal and the pause", () => {
  // Seen to fail without the look for it: the task stayed paused.
  it.scopedLive("lets the task go on", () =>
    Effect.gen(function* () {
      const git = yield* gitServer
      const { url } = yield* git.create("app.git", { "a.txt": "a\n" })
      yield* git.requireSignIn("x-access-token", Redacted.value(value))
      const refused = yield* Deferred.make<void>()
      const stored = yield* Deferred.make<void>()
      const app = appLayer({
        dataDir: yield* temporaryDirectory,
        script: { scenarios: [{ name: "main", steps: [{ text: "Nothing to do." }] }] },
        sandbox: givenUpAfter(Effect.zipRight(Deferred.succeed(refused, undefined), Deferred.await(stored))),
        settings: { trustedGitHosts: [git.host] }
      })
      const status = yield* Effect.gen(function* () {
        const task = yield* submit(url)
        yield* Deferred.await(refused)
        yield* storeCredential(task, git.host)
        yield* Deferred.succeed(stored, undefined)
        return (yield* finished(task.id)).task.status
      }).pipe(Effect.provide(app))
      expect(status).toBe("completed")
    })
  )
})

describe("a limit of time that is raised while the task works", () => {
  // Seen to fail when the run that it stops does not say which limit that was: the task paused.
  it.scopedLive("pauses nothing", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory
      const remote = `${dataDir}/remote.git`
      yield* makeBare(remote)
      yield* commitFiles(remote, { "a.txt": "a\n" })
      const steps = [{ tools: [{ name: "run_command", input: { command: "sleep 3" } }] }, { text: "Slept." }] as const
      const app = appLayer({ dataDir, script: { scenarios: [{ name: "main", steps }] } })
      const { task, types } = yield* Effect.gen(function* () {
        const { id } = yield* submit(remote, { limits: { ...defaultLimits, maxDurationSeconds: 1 } })
        yield* eventsUntil(id, ({ type }) => type === "tool.started")
        yield* (yield* TaskRepo).change(id, update({ limits: { maxDurationSeconds: 60 } }))
        return yield* finished(id)
      }).pipe(Effect.provide(app))
      expect(task.status).toBe("completed")
      expect(types.filter((type) => type === "run.started")).toHaveLength(2)
    })
  )
})
