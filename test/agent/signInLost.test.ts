/** Twenty tasks of one user at a GitHub over HTTP, when the grant that all of them live on has to be renewed. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Logger, LogLevel, Option, Redacted } from "effect"
import { makeWelcome } from "../../src/http/auth/welcome.ts"
import type { Task } from "../../src/services/Task.ts"
import { ForgeSignIn } from "../../src/services/ForgeSignIn.ts"
import { type GitHub, gitHub } from "../support/github/gitHub.ts"
import { GitHubOAuth } from "../support/github/oauth.ts"
import { appLayer, eventsUntil, finished, submit, temporaryDirectory } from "../support/wholeApp.ts"

const count = 20

/** Seconds: renewed before it is used, and good for nothing when that fails. */
const almostOver = 1
const eightHours = 28_800

interface Scene {
  readonly github: GitHub
  readonly oauth: GitHubOAuth
  /** A repository for each task: those of one repository would wait for each other. */
  readonly submitAll: Effect.Effect<ReadonlyArray<Task>, never, Effect.Effect.Context<ReturnType<typeof submit>>>
  /** Lets the commands of the tasks end. */
  readonly goOn: () => void
}

const onStage = <A, E, R>(play: (scene: Scene) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const oauth = new GitHubOAuth()
    oauth.person = "tester"
    const github = yield* gitHub(oauth.routes)
    const made = yield* Effect.forEach(Array.from({ length: count }), (_, n) =>
      github.create(`acme/app${n}`, { files: { "a.txt": "a\n" }, permissions: { tester: "write" } })
    )
    const dataDir = yield* temporaryDirectory
    const flag = join(yield* temporaryDirectory, "go on")
    const app = appLayer({
      dataDir,
      maxRunning: count,
      script: {
        scenarios: [
          {
            name: "main",
            steps: [
              { tools: [{ name: "write_file", input: { path: "b.txt", content: "b\n" } }] },
              { tools: [{ name: "run_command", input: { command: `until test -e '${flag}'; do sleep 0.2; done` } }] },
              { text: "Wrote b." }
            ]
          }
        ]
      },
      settings: {
        github: {
          url: github.url,
          apiUrl: github.apiUrl,
          app: Option.some({ clientId: oauth.clientId, clientSecret: Redacted.make(oauth.clientSecret) }),
          allowedLogins: { users: ["tester"], organizations: [] }
        },
        trustedGitHosts: [github.host]
      }
    })
    const scene: Scene = {
      github,
      oauth,
      submitAll: Effect.orDie(
        Effect.forEach(made, ({ url }) => submit(url, { delivery: "pull_request" }), { concurrency: "unbounded" })
      ),
      goOn: () => writeFileSync(flag, "")
    }
    return yield* play(scene).pipe(
      Effect.provide(app.pipe(Layer.provide(Logger.minimumLogLevel(LogLevel.Error)))),
      Effect.scoped
    )
  })

/** A person comes back from GitHub's page with a grant that lasts so many seconds. */
const signIn = Effect.fnUntraced(function* (oauth: GitHubOAuth, seconds: number) {
  const forge = yield* ForgeSignIn
  const welcome = yield* makeWelcome
  const attempt = { state: "s", verifier: Redacted.make("v".repeat(43)), redirectUrl: "http://127.0.0.1/callback" }
  const { headers } = yield* Effect.promise(() => fetch(forge.authorizationUrl(attempt), { redirect: "manual" }))
  const code = new URL(headers.get("location") ?? "").searchParams.get("code") ?? ""
  oauth.expiresIn = seconds
  yield* welcome(yield* forge.exchange(Redacted.make(code), attempt))
  oauth.expiresIn = eightHours
})

/** How each goes on after what is known of it, until it ends or pauses: how it stands, and the number of its last event. */
const run = (tasks: ReadonlyArray<{ readonly id: Task["id"]; readonly last?: number }>) =>
  Effect.forEach(
    tasks,
    ({ id, last }) =>
      Effect.map(finished(id, last), ({ events, task }) => ({ id, last: events.at(-1)?.seq ?? 0, task })),
    { concurrency: "unbounded" }
  )

const standing = (ended: Effect.Effect.Success<ReturnType<typeof run>>) =>
  ended.map(({ task: { pausedReason, status } }) => `${status} ${pausedReason}`)

const each = <A>(value: A) => Array.from({ length: count }, () => value)
const allCompleted = each("completed null")
const allWait = each("paused reconnect_github")

const pullsOf = ({ state }: GitHub) => [...state.repositories.values()].map(({ pulls }) => pulls.length)

describe("twenty tasks on one sign-in at GitHub", { timeout: 120_000 }, () => {
  // Fails when each asker renews for itself.
  it.scopedLive("renew it once, and all complete", () =>
    onStage(({ github, goOn, oauth, submitAll }) =>
      Effect.gen(function* () {
        yield* signIn(oauth, almostOver)
        yield* Effect.sleep("1100 millis")
        goOn()
        const tasks = yield* submitAll
        expect(standing(yield* run(tasks))).toEqual(allCompleted)
        expect(oauth.renewals).toBe(1)
        expect(pullsOf(github)).toEqual(each(1))
      })
    )
  )

  // Fails when a sign-in wakes only what waits for a credential: they stayed paused.
  it.scopedLive("pause when the answer to its renewal is lost, and go on after another sign-in", () =>
    onStage(({ github, goOn, oauth, submitAll }) =>
      Effect.gen(function* () {
        yield* signIn(oauth, almostOver)
        yield* Effect.sleep("1100 millis")
        for (const token of github.state.tokens.keys()) github.state.revoke(token)
        oauth.losesRenewal = true
        goOn()
        const tasks = yield* submitAll
        const paused = yield* run(tasks)
        expect(standing(paused)).toEqual(allWait)
        // The second one is told that the first has used it up.
        expect(oauth.renewals).toBe(2)
        yield* signIn(oauth, eightHours)
        expect(standing(yield* run(paused))).toEqual(allCompleted)
        expect(pullsOf(github)).toEqual(each(1))
      })
    )
  )

  // Fails when a refused push fails the task: all twenty did.
  it.scopedLive("pause with their work when GitHub takes it back in mid-task, and deliver after another sign-in", () =>
    onStage(({ github, goOn, oauth, submitAll }) =>
      Effect.gen(function* () {
        yield* signIn(oauth, eightHours)
        const tasks = yield* submitAll
        yield* Effect.forEach(
          tasks,
          ({ id }) => eventsUntil(id, (event) => event.type === "tool.started" && event.tool === "run_command"),
          { concurrency: "unbounded" }
        )
        for (const token of github.state.tokens.keys()) github.state.revoke(token)
        oauth.revokeGrants()
        goOn()
        const paused = yield* run(tasks)
        expect(standing(paused)).toEqual(allWait)
        expect(paused.filter(({ task }) => task.headCommit === null)).toEqual([])
        expect(oauth.renewals).toBe(1)
        yield* signIn(oauth, eightHours)
        expect(standing(yield* run(paused))).toEqual(allCompleted)
        expect(pullsOf(github)).toEqual(each(1))
      })
    )
  )
})
