/** The pull request of a task, asked for and looked at. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { Forge, ForgeFailed } from "../../src/services/Forge.ts"
import { GitStore } from "../../src/services/GitStore.ts"
import { CommitId } from "../../src/services/Ids.ts"
import { TaskChange } from "../../src/services/TaskChange.ts"
import { ask, door, happen, newTask, submit, tokenFor } from "./door.ts"

const commit = CommitId.make("a".repeat(40))
const atGitHub = { repository: { url: "https://github.com/acme/app" } }

const store = Layer.mock(GitStore, {
  forget: () => Effect.void,
  diff: () => Effect.succeed({ files: [], additions: 0, deletions: 0, truncated: false }),
  readFile: () => Effect.succeed(Option.none())
})

const end = [
  TaskChange.RunStarted({ run: 1, reason: "start" }),
  TaskChange.BranchPushed({ branch: "errand/x", commit }),
  TaskChange.Completed()
] as const

const open = (id: string, token: string, headers = {}) =>
  ask("POST", `/api/v1/tasks/${id}/pull-request`, { token, headers })

describe("POST /tasks/{id}/pull-request", () => {
  it.scopedLive("opens the pull request of a completed task, and finds it again", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("ann")
      const id = yield* submit(token, atGitHub)
      expect(yield* open(id, token)).toMatchObject({ status: 409, json: { code: "not_possible_now" } })
      yield* happen(id, ...end)
      const first = yield* open(id, token, { "idempotency-key": "k" })
      expect(first).toMatchObject({
        status: 200,
        json: { status: "completed", pullRequest: { number: 1, draft: true } }
      })
      const replayed = yield* open(id, token, { "idempotency-key": "k" })
      expect(replayed.headers.get("idempotency-replayed")).toBe("true")
      const again = yield* open(id, token)
      expect(again.json.pullRequest).toEqual(first.json.pullRequest)
      const { items } = (yield* ask("GET", `/api/v1/tasks/${id}/events?limit=100`, { token })).json
      const types = items.map(({ event }: { event: { type: string } }) => event.type)
      expect(types.filter((type: string) => type === "pull_request.opened")).toHaveLength(1)
      expect((yield* ask("GET", `/api/v1/tasks/${id}`, { token })).json.pullRequest.number).toBe(1)
    }).pipe(Effect.provide(door({ store })))
  )

  it.scopedLive("is for tasks with a branch, at a forge, of one's own", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("ann")
      const bob = yield* tokenFor("bobby")
      const without = yield* submit(token, atGitHub)
      yield* happen(without, TaskChange.RunStarted({ run: 1, reason: "start" }), TaskChange.Completed())
      expect(yield* open(without, token)).toMatchObject({ status: 409, json: { code: "not_possible_now" } })
      const elsewhere = yield* submit(token, newTask)
      yield* happen(elsewhere, ...end)
      expect(yield* open(elsewhere, token)).toMatchObject({ status: 422, json: { code: "delivery_unavailable" } })
      expect((yield* open(without, bob.token)).status).toBe(404)
      const body = { unknown: true }
      const wrong = yield* ask("POST", `/api/v1/tasks/${without}/pull-request`, { token, body })
      expect(wrong).toMatchObject({ status: 422, json: { code: "invalid_request" } })
    }).pipe(Effect.provide(door({ store })))
  )

  it.scopedLive("says what the forge says", () =>
    Effect.gen(function* () {
      for (const [reason, status, code] of [
        ["auth", 409, "forge_sign_in_needed"],
        ["refused", 409, "pull_request_refused"],
        ["not_found", 409, "pull_request_refused"],
        ["rate_limited", 503, "forge_unavailable"],
        ["unavailable", 503, "forge_unavailable"]
      ] as const) {
        const failure = new ForgeFailed({ reason, retryable: false, waitMs: 7_000, detail: "So it is." })
        const forge = Layer.mock(Forge, { find: () => failure })
        yield* Effect.gen(function* () {
          const { token } = yield* tokenFor("ann")
          const id = yield* submit(token, atGitHub)
          yield* happen(id, ...end)
          const answer = yield* open(id, token)
          expect(answer).toMatchObject({ status, json: { code, detail: "So it is." } })
          if (status === 503) expect(answer.headers.get("retry-after")).toBe("7")
        }).pipe(Effect.provide(door({ store, forge })))
      }
    })
  )

  it.scopedLive("is refused beforehand where Errand knows of no forge", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("ann")
      const body = { ...newTask, delivery: "pull_request" }
      const refused = yield* ask("POST", "/api/v1/tasks", { token, body })
      expect(refused).toMatchObject({ status: 422, json: { code: "delivery_unavailable" } })
      expect((yield* ask("POST", "/api/v1/tasks", { token, body: { ...body, ...atGitHub } })).status).toBe(201)
    }).pipe(Effect.provide(door({ store })))
  )
})
