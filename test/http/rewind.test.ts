/** Taking a task back, as a client asks for it. */
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { TaskId } from "../../src/services/Ids.ts"
import { TaskChange } from "../../src/services/TaskChange.ts"
import { ask as question, commit, newQuestionId, say } from "../support/someTasks.ts"
import { ask, door, happen, submit, tokenFor } from "./door.ts"

const save = (digit: string) =>
  TaskChange.CheckpointSaved({ commit: commit(digit), files: 1, additions: 2, deletions: 3 })

const openQuestion = newQuestionId()

/** A task in its first run, with two checkpoints behind it. */
const withWork = Effect.fnUntraced(function* (login: string) {
  const { token } = yield* tokenFor(login)
  const id = yield* submit(token)
  yield* happen(
    id,
    TaskChange.RunStarted({ run: 1, reason: "start" }),
    TaskChange.RepositoryReady({ baseCommit: commit("a") }),
    say("first"),
    save("1"),
    say("second"),
    save("2")
  )
  const rewind = (body: unknown, headers = {}) => ask("POST", `/api/v1/tasks/${id}/rewind`, { token, body, headers })
  const list = (name: string) => Effect.map(ask("GET", `/api/v1/tasks/${id}/${name}`, { token }), ({ json }) => json)
  return { id, list, rewind, token }
})

const pause = (id: TaskId) => happen(id, TaskChange.Paused({ reason: "budget_reached" }))

layer(door(), { excludeTestServices: true })("rewinding", (it) => {
  it.effect("marks what comes after the checkpoint, and queues the task again with the message", () =>
    Effect.gen(function* () {
      const { id, list, rewind } = yield* withWork("rewinds")
      yield* pause(id)
      const answer = yield* rewind({ checkpoint: commit("1"), message: "Another way, please." })
      expect(answer.status).toBe(200)
      expect(answer.json).toMatchObject({ id, status: "queued", headCommit: commit("1"), pausedReason: null })
      const { items, pending } = yield* list("messages")
      expect(items.map(({ superseded }: { superseded: boolean }) => superseded)).toEqual([false, true])
      expect(pending).toMatchObject([{ mode: "steer", content: "Another way, please." }])
      expect((yield* list("checkpoints")).items).toMatchObject([
        { commit: commit("2"), superseded: true },
        { commit: commit("1"), superseded: false }
      ])
      const events = (yield* list("events")).items.map(({ event }: { event: object }) => event)
      expect(events.slice(-3)).toMatchObject([
        { type: "task.rewound", checkpoint: commit("1") },
        { type: "message.queued", text: "Another way, please." },
        { type: "task.queued", reason: "rewind" }
      ])
    })
  )

  it.effect("leads forward again, and to where the task began", () =>
    Effect.gen(function* () {
      const { id, list, rewind } = yield* withWork("rewinds-twice")
      yield* happen(id, TaskChange.Completed())
      expect((yield* rewind({ checkpoint: commit("a") })).json).toMatchObject({ headCommit: commit("a") })
      expect((yield* list("messages")).items).toMatchObject([{ superseded: true }, { superseded: true }])
      // It is queued already, and stays so.
      expect((yield* rewind({ checkpoint: commit("2") })).json).toMatchObject({ status: "queued" })
      expect((yield* list("messages")).items).toMatchObject([{ superseded: false }, { superseded: false }])
    })
  )

  it.effect("is refused while the task runs, with what to do", () =>
    Effect.gen(function* () {
      const { id, list, rewind, token } = yield* withWork("rewinds-running")
      const { seq } = (yield* ask("GET", `/api/v1/tasks/${id}`, { token })).json
      const answer = yield* rewind({ checkpoint: commit("1") })
      expect([answer.status, answer.json.code]).toEqual([409, "not_possible_now"])
      expect(answer.json.detail).toMatch(/running.*Cancel it first/)
      expect((yield* list("events")).head).toBe(seq)
    })
  )

  it.effect("closes the question that the task waits for", () =>
    Effect.gen(function* () {
      const { id, rewind, token } = yield* withWork("rewinds-waiting")
      yield* happen(id, question(openQuestion), TaskChange.Waiting({ questionId: openQuestion }))
      expect((yield* rewind({ checkpoint: commit("1") })).json.status).toBe("queued")
      const late = yield* ask("POST", `/api/v1/questions/${openQuestion}/answer`, {
        token,
        body: { revision: 1, decision: "allow" }
      })
      expect([late.status, late.json.code]).toEqual([409, "question_closed"])
    })
  )

  it.effect("names what it can't use, and changes nothing", () =>
    Effect.gen(function* () {
      const { id, rewind } = yield* withWork("rewinds-badly")
      yield* pause(id)
      const refused = Effect.fnUntraced(function* (body: unknown) {
        const { json, status } = yield* rewind(body)
        return [status, json.code, ...(json.errors ?? []).map(({ path }: { path: string }) => path)]
      })
      expect(yield* refused({ checkpoint: commit("7") })).toEqual([422, "invalid_request", "checkpoint"])
      expect(yield* refused({ checkpoint: "HEAD~1" })).toEqual([422, "invalid_request", "checkpoint"])
      expect(yield* refused({})).toEqual([422, "invalid_request", "checkpoint"])
      expect(yield* refused({ checkpoint: commit("1"), hard: true })).toEqual([422, "invalid_request", "hard"])
      expect(yield* refused({ checkpoint: commit("1"), message: "" })).toEqual([422, "invalid_request", "message"])
      const stranger = yield* tokenFor("stranger")
      const answer = yield* ask("POST", `/api/v1/tasks/${id}/rewind`, {
        token: stranger.token,
        body: { checkpoint: commit("1") }
      })
      expect(answer.status).toBe(404)
    })
  )

  it.effect("happens once for one key", () =>
    Effect.gen(function* () {
      const { id, list, rewind } = yield* withWork("rewinds-once")
      yield* pause(id)
      const headers = { "idempotency-key": "rewind-1" }
      const first = yield* rewind({ checkpoint: commit("1") }, headers)
      const again = yield* rewind({ checkpoint: commit("1") }, headers)
      expect([again.status, again.json]).toEqual([200, first.json])
      expect((yield* rewind({ checkpoint: commit("2") }, headers)).json.code).toBe("idempotency_conflict")
      const types = (yield* list("events")).items.map(({ event }: { event: { type: string } }) => event.type)
      expect(types.filter((type: string) => type === "task.rewound")).toHaveLength(1)
    })
  )
})
