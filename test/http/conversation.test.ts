import { expect, layer } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { type MessageId, QuestionId, type TaskId, ToolCallId } from "../../src/services/Ids.ts"
import { TaskChange } from "../../src/services/TaskChange.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import { TaskRunner } from "../../src/services/TaskRunner.ts"
import { ask, door, happen, submit, tokenFor } from "./door.ts"

const interrupted: Array<TaskId> = []

const runsHere: Array<TaskId> = []

const runner = Layer.mock(TaskRunner, {
  stop: () => Effect.void,
  interruptTool: (id) => Effect.sync(() => void interrupted.push(id)),
  running: Effect.sync(() => [...runsHere])
})

const callId = Schema.decodeSync(ToolCallId)("toolu_1")

const running = (id: TaskId) => happen(id, TaskChange.RunStarted({ run: 1, reason: "start" }))

const say = (token: string, id: TaskId, body: unknown, headers = {}) =>
  ask("POST", `/api/v1/tasks/${id}/messages`, { token, body, headers })

layer(door({ runner }), { excludeTestServices: true })("messages", (it) => {
  it.effect("wait until the model reads them, and can be withdrawn before", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("withdraws")
      const id = yield* submit(token)
      yield* running(id)
      const sent = yield* say(token, id, { content: "Use tabs.", mode: "queue" })
      expect(sent.status).toBe(201)
      expect(sent.json).toEqual({
        id: expect.stringMatching(/^msg_/),
        mode: "queue",
        content: "Use tabs.",
        createdAt: expect.any(String)
      })
      const list = ask("GET", `/api/v1/tasks/${id}/messages`, { token })
      expect((yield* list).json).toEqual({ items: [], nextCursor: null, pending: [sent.json] })
      const withdraw = ask("DELETE", `/api/v1/tasks/${id}/messages/${sent.json.id}`, { token })
      expect((yield* withdraw).status).toBe(204)
      expect((yield* list).json.pending).toEqual([])
      expect((yield* withdraw).json.code).toBe("not_found")
    })
  )

  it.effect("can't be withdrawn when the model has read them", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("too-late")
      const id = yield* submit(token)
      yield* running(id)
      const { json } = yield* say(token, id, { content: "Use tabs.", mode: "steer" })
      const messageId: MessageId = json.id
      const content = [{ type: "text" as const, text: "Use tabs." }]
      yield* happen(
        id,
        TaskChange.MessageAdded({ messageId, role: "user", content, delivers: [messageId], startsOver: false })
      )
      expect((yield* ask("DELETE", `/api/v1/tasks/${id}/messages/${messageId}`, { token })).status).toBe(404)
      const list = yield* ask("GET", `/api/v1/tasks/${id}/messages`, { token })
      expect(list.json.items).toMatchObject([{ id: messageId, role: "user", content }])
    })
  )

  it.effect("interrupt a tool when that is asked for, once for each request", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("interrupts")
      const id = yield* submit(token)
      yield* running(id)
      const times = () => interrupted.filter((one) => one === id).length
      yield* say(token, id, { content: "Wait.", mode: "steer" })
      yield* say(token, id, { content: "Later.", mode: "queue", interrupt: true })
      expect(times()).toBe(0)
      const now = say(token, id, { content: "Stop that.", mode: "steer", interrupt: true }, { "idempotency-key": "k1" })
      yield* now
      yield* now
      expect(times()).toBe(1)
    })
  )

  it.effect("to a final task start a follow-up on the same branch", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("follows-up")
      const id = yield* submit(token)
      yield* running(id)
      yield* happen(id, TaskChange.Completed())
      const { branch } = (yield* ask("GET", `/api/v1/tasks/${id}`, { token })).json
      yield* say(token, id, { content: "And the docs.", mode: "queue" })
      expect((yield* ask("GET", `/api/v1/tasks/${id}`, { token })).json).toMatchObject({
        status: "queued",
        position: 0,
        branch
      })
    })
  )

  it.effect("have words and a mode", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("wordless")
      const id = yield* submit(token)
      const paths = (body: unknown) =>
        Effect.map(say(token, id, body), ({ json }) => json.errors.map(({ path }: { path: string }) => path))
      expect(yield* paths({ content: " ", mode: "shout" })).toEqual(["content", "mode"])
      expect(yield* paths({})).toEqual(["content", "mode"])
      expect(yield* paths({ content: "x".repeat(262_145), mode: "queue" })).toEqual(["content"])
    })
  )
})

layer(door({ runner }), { excludeTestServices: true })("the work of a task", (it) => {
  it.effect("is listed call by call, short, and whole for one", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("calls")
      const id = yield* submit(token)
      yield* running(id)
      const output = `${"a".repeat(10_000)}${"z".repeat(10_000)}`
      yield* happen(id, TaskChange.ToolStarted({ toolCallId: callId, tool: "run_command", input: { command: "ls" } }))
      const list = ask("GET", `/api/v1/tasks/${id}/tool-calls`, { token })
      expect((yield* list).json.items).toMatchObject([
        { id: "toolu_1", tool: "run_command", output: null, isError: null }
      ])
      yield* happen(
        id,
        TaskChange.ToolFinished({
          toolCallId: callId,
          isError: false,
          exitCode: 0,
          durationMs: 5,
          output,
          bytes: 50_000
        })
      )
      const { items } = (yield* list).json
      expect(items[0].output).toEqual({ head: "a".repeat(2000), tail: "z".repeat(6000), bytes: 50_000 })
      const one = yield* ask("GET", `/api/v1/tasks/${id}/tool-calls/toolu_1`, { token })
      expect(one.json).toMatchObject({ output, bytes: 50_000, exitCode: 0, input: { command: "ls" } })
      expect((yield* ask("GET", `/api/v1/tasks/${id}/tool-calls/toolu_2`, { token })).status).toBe(404)
    })
  )

  it.effect("has checkpoints, newest first", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("checkpoints")
      const id = yield* submit(token)
      yield* running(id)
      const commits = ["a", "b"].map((digit) => digit.repeat(40) as never)
      for (const commit of commits) {
        yield* happen(id, TaskChange.CheckpointSaved({ commit, files: 1, additions: 2, deletions: 3 }))
      }
      const { json } = yield* ask("GET", `/api/v1/tasks/${id}/checkpoints`, { token })
      expect(json.items.map(({ commit }: { commit: string }) => commit)).toEqual(commits.toReversed())
      expect(json.items[0]).toMatchObject({ run: 1, files: 1, additions: 2, deletions: 3 })
    })
  )
})

const answer = (token: string, questionId: string, body: unknown, headers = {}) =>
  ask("POST", `/api/v1/questions/${questionId}/answer`, { token, body, headers })

layer(door({ runner }), { excludeTestServices: true })("questions", (it) => {
  let count = 0

  /** A task that waits for a person, and the id of its question. */
  const waiting = Effect.fnUntraced(function* (token: string) {
    const id = yield* submit(token)
    yield* running(id)
    const questionId = Schema.decodeSync(QuestionId)(`question_${String(++count).padStart(26, "0")}`)
    yield* happen(
      id,
      TaskChange.QuestionOpened({
        questionId,
        toolCallId: null,
        kind: "question",
        title: "Which one?",
        detail: "There are two.",
        choices: ["left", "right"],
        expiresAt: "2099-01-01T00:00:00.000Z",
        default: { decision: "deny" }
      }),
      TaskChange.Waiting({ questionId })
    )
    return { id, questionId }
  })

  it.effect("are listed while they are open", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("listens")
      const { id, questionId } = yield* waiting(token)
      const open = ask("GET", "/api/v1/questions?status=open", { token })
      expect((yield* open).json.items).toMatchObject([
        { id: questionId, taskId: id, revision: 1, status: "open", choices: ["left", "right"], answer: null }
      ])
      yield* answer(token, questionId, { revision: 1, decision: "allow", choice: "left" })
      expect((yield* open).json.items).toEqual([])
      expect((yield* ask("GET", "/api/v1/questions", { token })).json.items).toHaveLength(1)
    })
  )

  it.effect("are won by the first answer; the loser learns it", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("races")
      const { questionId } = yield* waiting(token)
      const answers = yield* Effect.all(
        ["left", "right"].map((choice) => answer(token, questionId, { revision: 1, decision: "allow", choice })),
        { concurrency: "unbounded" }
      )
      const [winner, loser] = answers.toSorted((a, b) => a.status - b.status)
      expect(winner?.json).toMatchObject({ status: "answered", revision: 2 })
      expect([loser?.status, loser?.json.code]).toEqual([409, "question_closed"])
      expect(loser?.json.answer).toEqual(winner?.json.answer)
    })
  )

  it.effect("put a task that gave its sandbox back into the queue, and leave a running one to read on", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("resumes")
      const away = yield* waiting(token)
      yield* answer(token, away.questionId, { revision: 1, decision: "deny", text: "Neither." })
      expect((yield* ask("GET", `/api/v1/tasks/${away.id}`, { token })).json.status).toBe("queued")
      const here = yield* waiting(token)
      runsHere.push(here.id)
      yield* answer(token, here.questionId, { revision: 1, decision: "allow" })
      const repo = yield* TaskRepo
      expect((yield* repo.get(here.id)).status).toBe("waiting")
    })
  )

  it.effect("take an answer that was repeated, and no answer that makes no sense", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("repeats-answer")
      const { questionId } = yield* waiting(token)
      const refused = yield* Effect.forEach(
        [
          { revision: 2, decision: "allow" },
          { revision: 1, decision: "allow", choice: "middle" },
          { revision: 1, decision: "maybe" }
        ],
        (body) => answer(token, questionId, body)
      )
      expect(refused.map(({ status, json }) => [status, json.errors[0].path])).toEqual([
        [422, "revision"],
        [422, "choice"],
        [422, "decision"]
      ])
      const once = answer(token, questionId, { revision: 1, decision: "allow" }, { "idempotency-key": "a1" })
      const [first, second] = [yield* once, yield* once]
      expect([first.status, second.status]).toEqual([200, 200])
      expect(second.text).toBe(first.text)
    })
  )
})
