/**
 * How a TaskRepo writes, whatever it writes to: tasks, their traces and their events in one transaction.
 *
 * Owns: the order of a change: decide, mask, check, fold, store, tell.
 * Does not own: tables (`TaskStorage.ts`), what a change does to a task (`services/evolve.ts`).
 */
import { Effect, type Either, Option } from "effect"
import { EventBus, inboxStream, taskStream } from "../../services/EventBus.ts"
import { begin, evolve, isLegal } from "../../services/evolve.ts"
import type { TaskId } from "../../services/Ids.ts"
import { maskChange } from "../../services/maskChange.ts"
import { maskOf } from "../../services/masking.ts"
import { Secrets } from "../../services/Secrets.ts"
import type { Task, TaskDraft } from "../../services/Task.ts"
import { TaskChange } from "../../services/TaskChange.ts"
import type { TaskCard, TaskEvent } from "../../services/TaskEvent.ts"
import { IllegalTransition, TaskNotFound, type TaskRepo } from "../../services/TaskRepo.ts"
import { isFinal, type TaskStatus } from "../../services/TaskStatus.ts"
import { changesCard, toEvent } from "../../services/toEvent.ts"
import { Transaction } from "../../services/Transaction.ts"
import { now } from "../timestamp.ts"
import { renderLog } from "./renderLog.ts"
import { searchableText } from "./searchableText.ts"
import type { TaskStorage, Traces } from "./TaskStorage.ts"

const cardOf = (task: Task, seq: number): TaskCard => ({
  id: task.id,
  status: task.status,
  phase: task.phase,
  title: task.title,
  repository: task.repository,
  branch: task.branch,
  pullRequest: task.pullRequest,
  costUsd: task.usage.costUsd,
  error: task.error,
  pausedReason: task.pausedReason,
  pausedBudget: task.pausedBudget,
  tags: task.tags,
  seq,
  createdAt: task.createdAt,
  startedAt: task.startedAt,
  finishedAt: task.finishedAt
})

const tracesOf = (changes: ReadonlyArray<TaskChange>, task: Task, at: string): Traces => ({
  log: changes.map((change) => renderLog(change, task, at)).join(""),
  searchable: changes.map(searchableText).filter((text) => text !== "")
})

const hasRun = (status: TaskStatus): boolean => status === "running" || status === "waiting"

export const makeWrites = Effect.fnUntraced(function* (storage: TaskStorage) {
  const bus = yield* EventBus
  const transaction = yield* Transaction
  const secrets = yield* Secrets

  /** Appends the events of a task, and its card to the inbox when that looks different now. */
  const tell = Effect.fnUntraced(function* (
    task: Task,
    events: ReadonlyArray<TaskEvent>,
    changes: ReadonlyArray<TaskChange>
  ) {
    const stream = taskStream(task.id)
    const seq = (yield* bus.append(stream, events)).at(-1)?.seq ?? (yield* bus.head(stream))
    if (changes.some(changesCard)) {
      yield* bus.append(inboxStream(task.owner), [{ type: "task.changed", task: cardOf(task, seq) }])
    }
    return { task, seq }
  })

  /** Folds the changes that happen into the task, and stores what they say of other things on the way. */
  const apply = Effect.fnUntraced(function* (before: Task, changes: ReadonlyArray<TaskChange>) {
    const at = yield* now
    let task = before
    const happened: Array<TaskChange> = []
    const events: Array<TaskEvent> = []
    for (const change of changes) {
      if (!isLegal(task, change)) {
        return yield* new IllegalTransition({ id: task.id, status: task.status, change: change._tag })
      }
      const after = evolve(task, change, at)
      if (!(yield* storage.record(after, change, at))) continue
      if (hasRun(task.status) && !hasRun(after.status)) yield* storage.endRun(after, at)
      const event = toEvent(after, change)
      if (event !== null) events.push(event)
      happened.push(change)
      task = after
    }
    if (happened.length > 0) yield* storage.update(before, task, tracesOf(happened, task, at))
    return yield* tell(task, events, happened)
  })

  /** Whoever wrote them, nobody reads the value of a secret in what is stored. */
  const masked = Effect.fnUntraced(function* (task: Task, changes: ReadonlyArray<TaskChange>) {
    const mask = maskOf(yield* secrets.find(task.owner, task.secrets))
    return changes.map((change) => maskChange(mask, change))
  })

  const load = Effect.fnUntraced(function* (id: TaskId) {
    return yield* Option.match(yield* storage.load(id), {
      onNone: () => new TaskNotFound({ id }),
      onSome: Effect.succeed
    })
  })

  const create = Effect.fn("TaskRepo.create")(function* (draft: TaskDraft) {
    const at = yield* now
    const created = TaskChange.Created({ draft })
    const task = begin(draft, at)
    yield* storage.insert(task, tracesOf([created], task, at))
    const event = toEvent(task, created)
    return yield* tell(task, event === null ? [] : [event], [created])
  }, transaction.run)

  // Without a span: a task makes several changes at every step, and a span costs as much as three statements.
  const change = Effect.fnUntraced(function* <E>(
    id: TaskId,
    decide: (task: Task) => Either.Either<ReadonlyArray<TaskChange>, E>
  ) {
    const task = yield* load(id)
    const changes = yield* decide(task)
    return yield* apply(task, task.secrets.length === 0 ? changes : yield* masked(task, changes))
  }, transaction.run)

  const remove = Effect.fn("TaskRepo.remove")(function* (id: TaskId) {
    const task = yield* load(id)
    if (!isFinal(task.status)) {
      return yield* new IllegalTransition({ id, status: task.status, change: "Removed" })
    }
    yield* storage.erase(id)
    yield* bus.remove(taskStream(id))
  }, transaction.run)

  return { create, change, remove } satisfies Pick<typeof TaskRepo.Service, "create" | "change" | "remove">
})
