/** The end of a user on real storage. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Option, Redacted } from "effect"
import { makeRemoveUser } from "../../src/http/removeUser.ts"
import type { ScriptSource } from "../../src/layers/scripted/Script.ts"
import { Accounts } from "../../src/services/Accounts.ts"
import { GitCredentials } from "../../src/services/GitCredentials.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import { appLayer, submit, temporaryDirectory } from "../support/wholeApp.ts"

const script: ScriptSource = { scenarios: [{ name: "main", steps: [{ text: "Not asked." }] }] }

const breakDown = () => Effect.dieMessage("the server breaks down here")

/** Of a user who has a credential and a task that waits for its time. */
const standing = Effect.fnUntraced(function* ({ id, owner }: Effect.Effect.Success<ReturnType<typeof submit>>) {
  const accounts = yield* Accounts
  const credentials = yield* GitCredentials
  const repo = yield* TaskRepo
  return {
    isUser: Option.isSome(yield* accounts.user(owner)),
    credentials: (yield* credentials.list(owner)).length,
    task: (yield* repo.get(id)).status
  }
})

const onStage = <A, E, R>(play: (task: Effect.Effect.Success<ReturnType<typeof submit>>) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const app = appLayer({ dataDir: yield* temporaryDirectory, script })
    return yield* Effect.gen(function* () {
      yield* (yield* Accounts).createToken("owner", { name: "test", scopes: [] })
      const task = yield* submit("/nowhere", { startAt: "2126-01-01T00:00:00.000Z" })
      const value = { kind: "token", value: Redacted.make("of-the-forge") } as const
      yield* (yield* GitCredentials).put(task.owner, "git.example.com", value)
      return yield* play(task)
    }).pipe(Effect.provide(app))
  })

describe("removing a user", () => {
  it.scopedLive("ends all that acts for them", () =>
    onStage((task) =>
      Effect.gen(function* () {
        const removeUser = yield* makeRemoveUser
        expect(yield* removeUser(task.owner)).toBe(true)
        expect(yield* standing(task)).toEqual({ isUser: false, credentials: 0, task: "cancelled" })
        expect(yield* removeUser(task.owner)).toBe(false)
      })
    )
  )

  // Seen to fail without the one transaction: the user and the credential were gone, and the task was queued.
  it.scopedLive("does all of it or nothing", () =>
    onStage((task) =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const removeUser = yield* Effect.provideService(makeRemoveUser, TaskRepo, { ...repo, change: breakDown })
        expect(Exit.isFailure(yield* Effect.exit(removeUser(task.owner)))).toBe(true)
        expect(yield* standing(task)).toEqual({ isUser: true, credentials: 1, task: "queued" })
      })
    )
  )
})
