/** TaskRepo in memory: the same answers, gone with the process. */
import { Effect, Layer, Option } from "effect"
import type { EventBus } from "../services/EventBus.ts"
import type { TaskId, ToolCallId } from "../services/Ids.ts"
import type { Secrets } from "../services/Secrets.ts"
import { TaskNotFound, TaskRepo } from "../services/TaskRepo.ts"
import { isFinal } from "../services/TaskStatus.ts"
import type { Transaction } from "../services/Transaction.ts"
import { MemoryState } from "./memory/MemoryState.ts"
import { checkpointsOf, conversationOf, messagesOf } from "./tasks/memory/lines.ts"
import * as read from "./tasks/memory/readTasks.ts"
import { spendingOf, spentOf } from "./tasks/memory/readSpend.ts"
import { recordChange } from "./tasks/memory/recordChange.ts"
import * as state from "./tasks/memory/taskState.ts"
import { positionOf, toPage } from "./tasks/pages.ts"
import { makeWrites } from "./tasks/writeTasks.ts"

const make = Effect.gen(function* () {
  const tasks = yield* (yield* MemoryState).slice(state.empty)

  const recordOf = (id: TaskId) => Effect.map(tasks.get, (all) => read.recordOf(all, id))

  /** A part of what is known of a task; `otherwise` for a task that is not there. */
  const partOf = <A>(id: TaskId, part: (record: state.TaskRecord) => A, otherwise: A) =>
    Effect.map(recordOf(id), (record) => Option.getOrElse(Option.map(record, part), () => otherwise))

  const find = (id: TaskId, isIt: (record: state.TaskRecord) => boolean) =>
    Effect.flatMap(
      recordOf(id),
      Option.match({
        onNone: () => new TaskNotFound({ id }),
        onSome: (record) => (isIt(record) ? Effect.succeed(record.task) : new TaskNotFound({ id }))
      })
    )

  const writes = yield* makeWrites({
    load: (id) =>
      Effect.map(
        recordOf(id),
        Option.map((record) => record.task)
      ),
    insert: (task, traces) => tasks.update(state.insertTask(task, traces)),
    update: (_, task, traces) => tasks.update(state.updateTask(task, traces)),
    record: (task, change, at) => tasks.modify(recordChange(task, change, at)),
    endRun: (task, at) => tasks.update(state.endRun(task, at)),
    erase: (id) => tasks.update(state.eraseTask(id))
  })

  return TaskRepo.of({
    ...writes,
    get: (id) => find(id, () => true),
    getOwned: (owner, id) => find(id, (record) => record.task.owner === owner),
    list: (filter, page) => Effect.map(tasks.get, (all) => read.listTasks(all, filter, page)),
    queuedCount: (owner) =>
      Effect.map(
        tasks.get,
        (all) => read.tasksWhere(all, (task) => task.status === "queued" && task.owner === owner).length
      ),
    withStatus: (statuses) =>
      Effect.map(tasks.get, (all) => read.tasksWhere(all, (task) => statuses.includes(task.status))),
    withPullRequest: (url) =>
      Effect.map(tasks.get, (all) => read.tasksWhere(all, (task) => task.pullRequest?.url === url)),
    endedBefore: (before, limit) =>
      Effect.map(tasks.get, (all) =>
        read
          .tasksWhere(all, ({ finishedAt, status }) => isFinal(status) && finishedAt !== null && finishedAt < before)
          .toSorted((a, b) => ((a.finishedAt ?? "") < (b.finishedAt ?? "") ? -1 : 1))
          .slice(0, limit)
      ),
    conversation: (id) => partOf(id, conversationOf, []),
    messages: (id, page) =>
      Effect.map(
        partOf(id, (record) => messagesOf(record).map(({ message }) => message), []),
        (messages) => read.pageOf(messages, page)
      ),
    pending: (id) => partOf(id, ({ pending }) => pending, []),
    toolCalls: (id, page) =>
      Effect.map(
        partOf(id, ({ toolCalls }) => toolCalls, []),
        (calls) => read.pageOf(calls, page)
      ),
    toolCall: (id, call: ToolCallId) =>
      partOf(id, ({ toolCalls }) => Option.fromNullable(toolCalls.find((it) => it.id === call)), Option.none()),
    checkpoints: (id, page) =>
      Effect.map(partOf(id, checkpointsOf, []), (checkpoints) => read.pageBackOf(checkpoints, page)),
    checkpoint: (id, commit) =>
      Effect.map(partOf(id, checkpointsOf, []), (checkpoints) =>
        Option.fromNullable(checkpoints.findLast((it) => it.commit === commit))
      ),
    runs: (id) => partOf(id, ({ runs }) => runs, []),
    question: (owner, id) =>
      Effect.map(tasks.get, ({ questions }) =>
        Option.fromNullable(questions.map(({ question }) => question).find((it) => it.id === id && it.owner === owner))
      ),
    questions: (filter, page) =>
      Effect.map(tasks.get, ({ questions }) => {
        const after = positionOf(page, 0)
        const found = questions.filter(
          ({ position, question }) =>
            position > after &&
            (filter.owner === undefined || question.owner === filter.owner) &&
            (filter.task === undefined || question.taskId === filter.task) &&
            (filter.status === undefined || question.status === filter.status)
        )
        return toPage(
          found,
          page,
          ({ position }) => position,
          ({ question }) => question
        )
      }),
    log: (id, start, length) =>
      Effect.map(
        partOf(id, ({ log }) => new TextEncoder().encode(log), new Uint8Array()),
        (bytes) => ({ bytes: bytes.slice(start, start + length), size: bytes.length })
      ),
    spent: (filter) => Effect.map(tasks.get, (all) => spentOf(all, filter)),
    spending: (filter, by, page) => Effect.map(tasks.get, (all) => spendingOf(all, filter, by, page))
  })
})

export const layer: Layer.Layer<TaskRepo, never, MemoryState | Transaction | EventBus | Secrets> = Layer.effect(
  TaskRepo,
  make
)
