/** What every TaskRepo must keep of a task: what was said, done, asked and spent. */
import { assert, layer } from "@effect/vitest"
import { Effect, type Layer, Option, TestClock } from "effect"
import { EventBus, taskStream } from "../../src/services/EventBus.ts"
import { TaskChange } from "../../src/services/TaskChange.ts"
import { type SpendKey, TaskRepo } from "../../src/services/TaskRepo.ts"
import { newMessageId, newTaskId, typesOf } from "./someEvents.ts"
import {
  ask,
  close,
  commit,
  count,
  draftOf,
  finishTool,
  newQuestionId,
  running,
  say,
  startTool,
  these,
  toolCallId
} from "./someTasks.ts"
import { pagesOf, sizes, wholePage } from "./pagesOf.ts"
import { type TaskServices } from "./storageLayers.ts"

const idsOf = (pages: ReadonlyArray<ReadonlyArray<{ readonly id: string }>>) => pages.flat().map(({ id }) => id)

export const taskPartsContract = <E>(name: string, adapter: Layer.Layer<TaskServices, E>) =>
  layer(adapter)(`${name}, parts of a task`, (it) => {
    it.effect("closes a question once: the first answer wins, later ones leave no trace", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const task = yield* running()
        const id = newQuestionId()
        yield* repo.change(task.id, these(ask(id), TaskChange.Waiting({ questionId: id })))
        const open = yield* repo.question(task.owner, id)
        assert.deepInclude(Option.getOrThrow(open), {
          status: "open",
          revision: 1,
          answer: null,
          toolCallId: toolCallId("ask"),
          commit: null
        })
        const first = yield* repo.change(task.id, these(close(id, "this"), TaskChange.Resumed()))
        const second = yield* repo.change(task.id, these(close(id, "that")))
        assert.strictEqual(second.seq, first.seq)
        assert.deepInclude(Option.getOrThrow(yield* repo.question(task.owner, id)), {
          status: "answered",
          revision: 2,
          answer: { decision: "allow", choice: "this" }
        })
        const types = yield* typesOf(taskStream(task.id))
        assert.strictEqual(types.filter((type) => type === "question.closed").length, 1)
        const aboutPush = newQuestionId()
        yield* repo.change(task.id, these({ ...ask(aboutPush), toolCallId: null, commit: commit("3") }))
        const asked = Option.getOrThrow(yield* repo.question(task.owner, aboutPush))
        assert.deepInclude(asked, { toolCallId: null, commit: commit("3") })
        yield* repo.change(task.id, these(close(newQuestionId(), "unknown")))
        assert.strictEqual(yield* (yield* EventBus).head(taskStream(task.id)), first.seq + 1)
      })
    )

    it.effect("keeps pending messages until they are delivered or withdrawn, and withdraws only those", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const task = yield* running()
        const [one, two, three] = [newMessageId(), newMessageId(), newMessageId()]
        const queue = (messageId: typeof one, mode: "steer" | "queue") =>
          TaskChange.MessageQueued({ messageId, mode, content: `text of ${messageId}` })
        yield* repo.change(task.id, these(queue(one, "steer"), queue(two, "queue"), queue(three, "steer")))
        assert.deepStrictEqual(
          (yield* repo.pending(task.id)).map(({ id, mode }) => [id, mode]),
          [
            [one, "steer"],
            [two, "queue"],
            [three, "steer"]
          ]
        )
        const delivery = TaskChange.MessageAdded({
          messageId: newMessageId(),
          role: "user",
          content: [{ type: "text", text: "both" }],
          delivers: [one, three],
          startsOver: false
        })
        const { seq } = yield* repo.change(task.id, these(delivery))
        assert.deepStrictEqual(
          (yield* repo.pending(task.id)).map(({ id }) => id),
          [two]
        )
        const late = yield* repo.change(task.id, these(TaskChange.MessageWithdrawn({ messageId: one })))
        assert.strictEqual(late.seq, seq)
        const inTime = yield* repo.change(task.id, these(TaskChange.MessageWithdrawn({ messageId: two })))
        assert.strictEqual(inTime.seq, seq + 1)
        assert.deepStrictEqual(yield* repo.pending(task.id), [])
        assert.strictEqual((yield* repo.conversation(task.id)).length, 1)
      })
    )

    it.effect("writes down each run, and in which status it left the task", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        yield* TestClock.setTime(0)
        const task = yield* running()
        yield* TestClock.adjust("1 second")
        yield* repo.change(task.id, these(TaskChange.Queued({ reason: "recovery" })))
        yield* repo.change(task.id, these(TaskChange.RunStarted({ run: 2, reason: "recovery" })))
        const id = newQuestionId()
        yield* repo.change(task.id, these(ask(id), TaskChange.Waiting({ questionId: id }), TaskChange.Resumed()))
        assert.isNull((yield* repo.runs(task.id))[1]?.endedAt)
        yield* TestClock.adjust("1 second")
        yield* repo.change(task.id, these(TaskChange.Failed({ error: { code: "broken", message: "It broke." } })))
        yield* TestClock.adjust("1 second")
        yield* repo.change(task.id, these(TaskChange.Queued({ reason: "retry" }), TaskChange.Cancelled()))
        assert.deepStrictEqual(yield* repo.runs(task.id), [
          {
            number: 1,
            reason: "start",
            startedAt: "1970-01-01T00:00:00.000Z",
            endedAt: "1970-01-01T00:00:01.000Z",
            outcome: "queued"
          },
          {
            number: 2,
            reason: "recovery",
            startedAt: "1970-01-01T00:00:01.000Z",
            endedAt: "1970-01-01T00:00:02.000Z",
            outcome: "failed"
          }
        ])
      })
    )

    it.effect("gives the conversation whole in pages, and to the model since it last started over", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const task = yield* running()
        const thought = { type: "thinking", thinking: "hm", signature: "s" } as const
        const use = {
          type: "tool_use",
          id: toolCallId("t"),
          name: "read_file",
          input: { path: "a", deep: [1, null] }
        } as const
        const mixed = TaskChange.MessageAdded({
          messageId: newMessageId(),
          role: "assistant",
          content: [thought, { type: "text", text: "x".repeat(50_000) }, use],
          delivers: [],
          startsOver: false
        })
        yield* repo.change(task.id, these(say("one", "user"), mixed))
        yield* repo.change(task.id, these(say("three", "user")))
        const before = yield* repo.conversation(task.id)
        assert.deepStrictEqual(
          before.map(({ role }) => role),
          ["user", "assistant", "user"]
        )
        assert.deepStrictEqual(before[1]?.content, mixed.content)
        const summary = { ...say("in short", "user"), startsOver: true }
        yield* repo.change(task.id, these(summary, say("five")))
        const after = yield* repo.conversation(task.id)
        assert.deepStrictEqual(after[0]?.content, summary.content)
        assert.strictEqual(after.length, 2)
        const pages = yield* pagesOf(2, (page) => repo.messages(task.id, page))
        assert.deepStrictEqual(sizes(pages), [2, 2, 1])
        assert.deepStrictEqual(pages.flat().slice(0, 3), [...before])
      })
    )

    it.effect("keeps tool calls while they run and when they have ended, whole", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const task = yield* running()
        const output = "y".repeat(100_000)
        yield* repo.change(task.id, these(startTool("a", { path: "x" }), startTool("b")))
        assert.deepInclude(Option.getOrThrow(yield* repo.toolCall(task.id, toolCallId("a"))), {
          run: 1,
          tool: "run_command",
          input: { path: "x" },
          output: null,
          isError: null,
          finishedAt: null
        })
        const ended = { ...finishTool("b", output), isError: true, exitCode: null, bytes: 5_000_000 }
        yield* repo.change(task.id, these(ended))
        const b = Option.getOrThrow(yield* repo.toolCall(task.id, toolCallId("b")))
        assert.deepInclude(b, { output, bytes: 5_000_000, isError: true, exitCode: null, durationMs: 1200 })
        assert.isNotNull(b.finishedAt)
        yield* repo.change(task.id, these(startTool("c"), startTool("b", { again: true })))
        assert.isNull(Option.getOrThrow(yield* repo.toolCall(task.id, toolCallId("b"))).output)
        const pages = yield* pagesOf(2, (page) => repo.toolCalls(task.id, page))
        assert.deepStrictEqual(
          pages.map((page) => page.map(({ id }) => id)),
          [[toolCallId("a"), toolCallId("b")], [toolCallId("c")]]
        )
        assert.isTrue(Option.isNone(yield* repo.toolCall(newTaskId(), toolCallId("a"))))
      })
    )

    it.effect("lists checkpoints newest first", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const task = yield* running()
        for (const digit of ["1", "2", "3"]) {
          const saved = TaskChange.CheckpointSaved({
            commit: commit(digit),
            files: Number(digit),
            additions: 0,
            deletions: 1
          })
          yield* repo.change(task.id, these(saved))
        }
        const pages = yield* pagesOf(2, (page) => repo.checkpoints(task.id, page))
        assert.deepStrictEqual(
          pages.map((page) => page.map((checkpoint) => checkpoint.commit)),
          [[commit("3"), commit("2")], [commit("1")]]
        )
        assert.deepInclude(pages[1]?.[0], { run: 1, files: 1, additions: 0, deletions: 1 })
      })
    )

    it.effect("lists questions by owner, task and status, oldest first", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const task = yield* running()
        const other = yield* running()
        const [one, two, three, foreign] = [newQuestionId(), newQuestionId(), newQuestionId(), newQuestionId()]
        yield* repo.change(task.id, these(ask(one), ask(two), ask(three), close(two, "this")))
        yield* repo.change(other.id, these(ask(foreign)))
        const { owner } = task
        const open = yield* pagesOf(1, (page) => repo.questions({ owner, status: "open" }, page))
        assert.deepStrictEqual(sizes(open), [1, 1])
        assert.deepStrictEqual(idsOf(open), [one, three])
        const ofTask = yield* repo.questions({ task: task.id }, wholePage)
        assert.deepStrictEqual(idsOf([ofTask.items]), [one, two, three])
        assert.deepInclude(ofTask.items[0], {
          taskId: task.id,
          owner,
          kind: "question",
          choices: ["this", "that"],
          default: { decision: "deny" },
          expiresAt: "2026-01-02T00:00:00.000Z",
          closedAt: null
        })
        assert.includeMembers(idsOf([(yield* repo.questions({ status: "open" }, wholePage)).items]), [
          one,
          three,
          foreign
        ])
      })
    )

    it.effect("tells the task as text, read in any ranges of bytes", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const task = yield* running({ prompt: "Grüße aus der Küche" })
        yield* repo.change(task.id, these(say("Ich sehe nach."), startTool("t1")))
        yield* repo.change(task.id, these(finishTool("t1", "1 failed\n2 passed"), TaskChange.Completed()))
        const whole = yield* repo.log(task.id, 0, 100_000)
        const text = new TextDecoder().decode(whole.bytes)
        assert.strictEqual(whole.size, whole.bytes.length)
        for (const words of ["Grüße aus der Küche", "Ich sehe nach.", "run_command", "1 failed", "completed"]) {
          assert.include(text, words)
        }
        for (const length of [1, 7, 64, 1000]) {
          const parts: Array<Uint8Array> = []
          for (let start = 0; start < whole.size; start += length) {
            parts.push((yield* repo.log(task.id, start, length)).bytes)
          }
          assert.strictEqual(new TextDecoder().decode(Buffer.concat(parts)), text)
        }
        assert.deepStrictEqual(yield* repo.log(task.id, whole.size, 10), { bytes: new Uint8Array(), size: whole.size })
        assert.deepStrictEqual(yield* repo.log(task.id, whole.size + 10, 10), {
          bytes: new Uint8Array(),
          size: whole.size
        })
        assert.deepStrictEqual(yield* repo.log(newTaskId(), 0, 10), { bytes: new Uint8Array(), size: 0 })
      })
    )

    it.effect("counts a response once for each task, however often it is reported", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const task = yield* running()
        const other = yield* running()
        yield* repo.change(task.id, these(count("r1"), count("r1"), count("r2", 0.02)))
        const again = yield* repo.change(task.id, these(count("r1"), count("r2")))
        yield* repo.change(other.id, these(count("r1")))
        assert.deepStrictEqual(again.task.usage, {
          inputTokens: 200,
          outputTokens: 40,
          cacheReadTokens: 6,
          cacheWriteTokens: 8,
          costUsd: 0.03
        })
        assert.deepStrictEqual((yield* typesOf(taskStream(task.id))).slice(2), ["usage.updated", "usage.updated"])
        assert.strictEqual((yield* repo.get(other.id)).usage.costUsd, 0.01)
      })
    )

    it.effect("adds up what was spent since a moment, by owner and repository", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const task = yield* running()
        yield* TestClock.setTime(Date.parse("2026-05-01T00:00:00.000Z"))
        yield* repo.change(task.id, these(count("old", 1)))
        yield* TestClock.setTime(Date.parse("2026-05-02T00:00:00.000Z"))
        yield* repo.change(task.id, these(count("a", 0.1), count("b", 0.2)))
        const elsewhere = yield* repo.create(
          draftOf(task.owner, { repository: { url: "https://git.example.com/other", ref: null } })
        )
        yield* repo.change(elsewhere.task.id, these(count("a", 0.4)))
        const { owner } = task
        const from = "2026-05-02"
        assert.deepStrictEqual(yield* repo.spent({ owner, from, repositories: [task.repository.url] }), {
          inputTokens: 200,
          outputTokens: 40,
          cacheReadTokens: 6,
          cacheWriteTokens: 8,
          costUsd: 0.3,
          responses: 2
        })
        assert.strictEqual((yield* repo.spent({ owner, from })).costUsd, 0.7)
        assert.strictEqual((yield* repo.spent({ owner, from: "2026-01-01" })).costUsd, 1.7)
        assert.strictEqual((yield* repo.spent({ owner, from: "2026-01-01", to: "2026-05-01" })).costUsd, 1)
        assert.strictEqual((yield* repo.spent({ owner, from: "2027-01-01" })).costUsd, 0)
      })
    )

    it.effect("breaks down what was spent, in pages, also when the tasks are gone", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const task = yield* running()
        const { owner } = task
        const url = "https://git.example.com/other"
        const { task: other } = yield* repo.create(draftOf(owner, { repository: { url, ref: null } }))
        yield* TestClock.setTime(Date.parse("2026-06-01T00:00:00.000Z"))
        yield* repo.change(task.id, these(count("a", 0.1), count("b", 0.2), count("b", 0.2)))
        yield* TestClock.setTime(Date.parse("2026-06-02T00:00:00.000Z"))
        yield* repo.change(other.id, these(count("a", 0.5)))
        yield* repo.change(task.id, these(count("c", 0.1), TaskChange.Cancelled()))
        yield* repo.remove(task.id)

        const filter = { owner, from: "2026-06-01", to: "2026-06-02" }
        const lines = (by: SpendKey, limit: number) =>
          Effect.map(
            pagesOf(limit, (page) => repo.spending(filter, by, page)),
            (pages) => pages.map((page) => page.map(({ costUsd, key, responses }) => [key, responses, costUsd]))
          )
        assert.deepStrictEqual(yield* lines("day", 1), [[["2026-06-02", 2, 0.6]], [["2026-06-01", 2, 0.3]]])
        assert.deepStrictEqual(yield* lines("task", 1), [[[other.id, 1, 0.5]], [[task.id, 3, 0.4]]])
        assert.deepStrictEqual(yield* lines("repository", 5), [
          [
            [url, 1, 0.5],
            [task.repository.url, 3, 0.4]
          ]
        ])
        assert.deepStrictEqual(yield* lines("model", 5), [[["scripted", 4, 0.9]]])
        const forged = yield* repo.spending(filter, "task", { limit: 5, cursor: Option.some("forged") })
        assert.deepStrictEqual(forged, { items: [], nextCursor: null })
        assert.strictEqual((yield* repo.spent({ ...filter, owner: (yield* running()).owner })).responses, 0)
      })
    )
  })
