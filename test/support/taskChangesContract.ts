/** What every TaskRepo must do with changes. */
import { assert, layer } from "@effect/vitest"
import { Cause, Effect, Either, Equal, Exit, type Layer, Option, TestClock } from "effect"
import { EventBus, inboxStream, taskStream } from "../../src/services/EventBus.ts"
import { begin } from "../../src/services/evolve.ts"
import { TaskChange } from "../../src/services/TaskChange.ts"
import { IllegalTransition, TaskNotFound, TaskRepo } from "../../src/services/TaskRepo.ts"
import { Transaction } from "../../src/services/Transaction.ts"
import { newTaskId, typesOf } from "./someEvents.ts"
import {
  ask,
  commit,
  count,
  draftOf,
  finishTool,
  newQuestionId,
  running,
  say,
  start,
  startTool,
  these,
  toolCallId
} from "./someTasks.ts"
import { wholePage } from "./pagesOf.ts"
import { People, type TaskServices } from "./storageLayers.ts"

export const taskChangesContract = <E>(name: string, adapter: Layer.Layer<TaskServices, E>) =>
  layer(adapter)(`${name}, changes`, (it) => {
    it.effect("creates a task, its first event and its card together", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const bus = yield* EventBus
        const owner = yield* (yield* People).newcomer
        yield* TestClock.setTime(Date.parse("2026-03-04T05:06:07.089Z"))
        const draft = draftOf(owner, { tags: ["urgent"], network: { mode: "allowlist", hosts: ["example.com"] } })
        const { seq, task } = yield* repo.create(draft)
        assert.deepStrictEqual(task, begin(draft, "2026-03-04T05:06:07.089Z"))
        assert.deepStrictEqual(yield* repo.get(task.id), task)
        assert.strictEqual(seq, 1)
        assert.deepStrictEqual(yield* typesOf(taskStream(task.id)), ["task.created"])
        const [card] = yield* bus.read(inboxStream(owner), 0, 10)
        assert.deepInclude(card, { seq: 1, at: "2026-03-04T05:06:07.089Z" })
        assert.deepInclude(card?.event.type === "task.changed" ? card.event.task : {}, {
          id: task.id,
          status: "queued",
          title: task.title,
          tags: ["urgent"],
          costUsd: 0,
          seq: 1
        })
      })
    )

    it.effect("folds changes in order and stores them with their events", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const task = yield* running()
        const { seq, task: after } = yield* repo.change(
          task.id,
          these(
            TaskChange.SandboxReady(),
            TaskChange.RepositoryReady({ baseCommit: commit("a") }),
            count("r1"),
            say("I look."),
            startTool("t1"),
            finishTool("t1"),
            TaskChange.CheckpointSaved({ commit: commit("b"), files: 1, additions: 2, deletions: 3 }),
            TaskChange.Worked({ ms: 1500 })
          )
        )
        assert.deepStrictEqual(yield* repo.get(task.id), after)
        assert.deepInclude(after, {
          phase: "working",
          turns: 1,
          workedMs: 1500,
          baseCommit: commit("a"),
          headCommit: commit("b")
        })
        assert.deepStrictEqual((yield* typesOf(taskStream(task.id))).slice(2), [
          "sandbox.ready",
          "repository.ready",
          "usage.updated",
          "message.added",
          "tool.started",
          "tool.finished",
          "checkpoint.saved"
        ])
        assert.strictEqual(seq, 9)
        assert.strictEqual(yield* (yield* EventBus).head(taskStream(task.id)), 9)
      })
    )

    it.effect("sends a card to the inbox once for each set of changes that shows there", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const bus = yield* EventBus
        const task = yield* running()
        const inbox = inboxStream(task.owner)
        assert.strictEqual(yield* bus.head(inbox), 2)
        yield* repo.change(task.id, these(say("Nothing to see."), count("r1")))
        assert.strictEqual(yield* bus.head(inbox), 2)
        const { seq } = yield* repo.change(
          task.id,
          these(
            TaskChange.DeliveryStarted(),
            TaskChange.BranchPushed({ branch: "b", commit: commit("c") }),
            TaskChange.Completed()
          )
        )
        const cards = yield* bus.read(inbox, 2, 10)
        assert.deepStrictEqual(
          cards.map(({ event }) =>
            event.type === "task.changed" ? [event.task.status, event.task.seq, event.task.costUsd] : []
          ),
          [["completed", seq, 0.01]]
        )
      })
    )

    it.effect("stores nothing when nothing is to be changed, and says where the stream stands", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const task = yield* running()
        assert.deepStrictEqual(yield* repo.change(task.id, these()), { task, seq: 2 })
        assert.strictEqual(yield* (yield* EventBus).head(taskStream(task.id)), 2)
      })
    )

    it.effect("decides on the task as it is, and passes a refusal on", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const task = yield* running()
        const refusal = yield* Effect.flip(
          repo.change(task.id, (seen) => Either.left({ refused: seen.status, run: seen.runNumber }))
        )
        assert.deepStrictEqual(refusal, { refused: "running", run: 1 })
        const unknown = newTaskId()
        assert.isTrue(
          Equal.equals(yield* Effect.flip(repo.change(unknown, these(start()))), new TaskNotFound({ id: unknown }))
        )
      })
    )

    it.effect("refuses what the status does not allow, with everything that came before it", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const bus = yield* EventBus
        const task = yield* running()
        const refusal = yield* Effect.flip(
          repo.change(
            task.id,
            these(
              say("kept?"),
              startTool("t1"),
              count("r1"),
              TaskChange.Completed(),
              TaskChange.Paused({ reason: "late" })
            )
          )
        )
        assert.isTrue(
          Equal.equals(refusal, new IllegalTransition({ id: task.id, status: "completed", change: "Paused" }))
        )
        assert.deepStrictEqual(yield* repo.get(task.id), task)
        assert.strictEqual(yield* bus.head(taskStream(task.id)), 2)
        assert.strictEqual(yield* bus.head(inboxStream(task.owner)), 2)
        assert.deepStrictEqual(yield* repo.conversation(task.id), [])
        assert.deepStrictEqual((yield* repo.toolCalls(task.id, wholePage)).items, [])
        assert.strictEqual((yield* repo.spent({ owner: task.owner, from: "1970-01-01" })).costUsd, 0)
        assert.deepStrictEqual((yield* repo.list({ owner: task.owner, q: "kept" }, wholePage)).items, [])
      })
    )

    // Seen to fail with what was remembered before the commit, and with what another change of the commit had overtaken.
    it.effect("builds on what is stored: never on what was undone, nor on what the same commit went beyond", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const transaction = yield* Transaction
        const task = yield* running()
        const turns = Effect.map(repo.change(task.id, these(say("one more"))), ({ task: { turns } }) => turns)
        assert.strictEqual(yield* turns, 1)
        yield* Effect.flip(transaction.run(Effect.zipRight(turns, Effect.fail("undone"))))
        yield* transaction.run(
          Effect.zipRight(Effect.flip(transaction.run(Effect.zipRight(turns, Effect.fail("undone")))), turns)
        )
        assert.strictEqual(yield* turns, 3)
        yield* Effect.all([turns, turns, repo.change(task.id, these(TaskChange.Completed()))], { concurrency: 3 })
        assert.deepInclude(yield* repo.get(task.id), { turns: 5, status: "completed" })
        assert.isTrue(Exit.isFailure(yield* Effect.exit(repo.change(task.id, these(TaskChange.Completed())))))
      })
    )

    it.effect("is undone with the transaction around it", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const transaction = yield* Transaction
        const owner = yield* (yield* People).newcomer
        const draft = draftOf(owner)
        yield* Effect.ignore(
          transaction.run(
            Effect.gen(function* () {
              yield* repo.create(draft)
              yield* repo.change(draft.id, these(start(), say("inside")))
              assert.strictEqual((yield* repo.get(draft.id)).status, "running")
              return yield* Effect.fail("no")
            })
          )
        )
        assert.isTrue(Equal.equals(yield* Effect.flip(repo.get(draft.id)), new TaskNotFound({ id: draft.id })))
        assert.strictEqual(yield* (yield* EventBus).head(taskStream(draft.id)), 0)
        assert.strictEqual((yield* repo.log(draft.id, 0, 100)).size, 0)
      })
    )

    it.effect("takes what everybody does to one task at once, one after the other", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const task = yield* running()
        yield* Effect.forEach(
          Array.from({ length: 50 }, (_, index) => index),
          (index) =>
            repo.change(task.id, these(count(`r${index % 40}`), TaskChange.Worked({ ms: 10 }), say(`word${index}`))),
          { concurrency: "unbounded", discard: true }
        )
        const after = yield* repo.get(task.id)
        assert.deepInclude(after, { turns: 50, workedMs: 500 })
        assert.strictEqual(after.usage.costUsd, 0.4)
        assert.strictEqual((yield* repo.conversation(task.id)).length, 50)
        const events = yield* (yield* EventBus).read(taskStream(task.id), 0, 1000)
        assert.deepStrictEqual(
          events.map(({ seq }) => seq),
          Array.from({ length: 92 }, (_, index) => index + 1)
        )
        const last = events.findLast(({ event }) => event.type === "usage.updated")
        assert.deepInclude(last?.event, { costUsd: 0.4 })
      })
    )

    it.effect("lets one of two who start a run at once win", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const owner = yield* (yield* People).newcomer
        const { task } = yield* repo.create(draftOf(owner))
        const exits = yield* Effect.all(
          [1, 2].map((run) => Effect.exit(repo.change(task.id, these(start(run))))),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(exits.filter(Exit.isSuccess).length, 1)
        const causes = exits.flatMap((exit) => (Exit.isFailure(exit) ? [Cause.squash(exit.cause)] : []))
        const refusal = new IllegalTransition({ id: task.id, status: "running", change: "RunStarted" })
        assert.deepStrictEqual(
          causes.map((cause) => Equal.equals(cause, refusal)),
          [true]
        )
      })
    )

    it.effect("removes a final task with everything about it but what it cost", () =>
      Effect.gen(function* () {
        const repo = yield* TaskRepo
        const bus = yield* EventBus
        const task = yield* running({ title: "Zanzibar" })
        const other = yield* repo.create(draftOf(task.owner, { title: "Zanzibar too" }))
        const question = newQuestionId()
        yield* repo.change(task.id, these(say("hello"), startTool("t"), finishTool("t"), count("r"), ask(question)))
        const refusal = yield* Effect.flip(repo.remove(task.id))
        assert.isTrue(
          Equal.equals(refusal, new IllegalTransition({ id: task.id, status: "running", change: "Removed" }))
        )
        yield* repo.change(task.id, these(TaskChange.Completed()))
        yield* repo.remove(task.id)
        const gone = new TaskNotFound({ id: task.id })
        assert.isTrue(Equal.equals(yield* Effect.flip(repo.get(task.id)), gone))
        assert.isTrue(Equal.equals(yield* Effect.flip(repo.remove(task.id)), gone))
        assert.strictEqual(yield* bus.head(taskStream(task.id)), 0)
        assert.deepStrictEqual(yield* repo.conversation(task.id), [])
        assert.isTrue(Option.isNone(yield* repo.toolCall(task.id, toolCallId("t"))))
        assert.deepStrictEqual(yield* repo.runs(task.id), [])
        assert.isTrue(Option.isNone(yield* repo.question(task.owner, question)))
        assert.strictEqual((yield* repo.log(task.id, 0, 100)).size, 0)
        const found = yield* repo.list({ owner: task.owner, q: "zanzibar" }, wholePage)
        assert.deepStrictEqual(
          found.items.map(({ id }) => id),
          [other.task.id]
        )
        assert.strictEqual((yield* repo.spent({ owner: task.owner, from: "1970-01-01" })).costUsd, 0.01)
      })
    )
  })
