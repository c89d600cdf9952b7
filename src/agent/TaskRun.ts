/**
 * One run of one task, as the parts of the agent see it: what they may write, and who may interrupt a tool.
 */
import { Clock, Duration, Effect, MutableRef } from "effect"
import { Budgets } from "../services/Budgets.ts"
import { EventBus, type News, taskStream } from "../services/EventBus.ts"
import type { TaskId } from "../services/Ids.ts"
import { type Mask, maskOf } from "../services/masking.ts"
import { type Secret, Secrets } from "../services/Secrets.ts"
import type { Task } from "../services/Task.ts"
import { TaskChange } from "../services/TaskChange.ts"
import { byRun, RunSuperseded } from "../services/TaskCommands.ts"
import type { Lease } from "../services/TaskQueue.ts"
import { type Changed, type IllegalTransition, type TaskNotFound, TaskRepo } from "../services/TaskRepo.ts"
import { type StorageFull, Transaction } from "../services/Transaction.ts"

/** Interrupts for the tools that run now, if any do: a request calls all of them, and none is kept for a later tool. */
export type ToolInterrupts = Set<() => void>

export interface TaskRun {
  readonly number: number
  /** The task as this run last wrote it. */
  readonly task: Effect.Effect<Task>
  /**
   * Stores changes in the name of this run. A full disk holds the run still until there is space: nothing is lost.
   * Fails once another run has taken over, or the task was cancelled.
   */
  readonly record: (changes: ReadonlyArray<TaskChange>) => Effect.Effect<Task, RunSuperseded>
  /** As `record`, of changes that are chosen in the transaction that stores them, for the task as it is there. */
  readonly recordChosen: <R>(
    choose: (task: Task) => Effect.Effect<ReadonlyArray<TaskChange>, never, R>
  ) => Effect.Effect<Task, RunSuperseded, R>
  /** The time of work since the last lap, as a change to record. */
  readonly lap: Effect.Effect<TaskChange>
  /** Begins a new lap: the time since the last one was not work. */
  readonly skipLap: Effect.Effect<void>
  /** False when no message of the user can be waiting: it spares a look into storage at every step. */
  readonly mayHavePending: MutableRef.MutableRef<boolean>
  readonly interrupts: ToolInterrupts
  /** Those that the task names, as they were when the run began; one that is missing has been deleted. */
  readonly secrets: ReadonlyArray<Secret>
  /** Takes their values out of what the sandbox or the model says, before anybody sees it. */
  readonly mask: Mask
}

/** How long a write that found no space waits before it is tried again. */
const spaceCheck = Duration.seconds(2)

type WriteFailure = RunSuperseded | StorageFull | TaskNotFound | IllegalTransition

const isPendingNews = (id: TaskId) => {
  const stream = taskStream(id)
  return (news: News): boolean =>
    news._tag === "Events" &&
    news.events.some((stored) => stored.stream === stream && stored.event.type === "message.queued")
}

export const make = Effect.fnUntraced(function* (lease: Lease, interrupts: ToolInterrupts) {
  const repo = yield* TaskRepo
  const bus = yield* EventBus
  const budgets = yield* Budgets
  const transaction = yield* Transaction
  const { id, owner, secrets: names } = lease.task
  const secrets = names.length === 0 ? [] : yield* Effect.flatMap(Secrets, (stored) => stored.find(owner, names))
  yield* Effect.addFinalizer(() => budgets.release(id, lease.run))
  const current = MutableRef.make(lease.task)
  const mayHavePending = MutableRef.make(true)
  const isPending = isPendingNews(id)
  yield* bus.listen((news) => {
    if (isPending(news)) MutableRef.set(mayHavePending, true)
  })
  const lapStart = MutableRef.make(yield* Clock.currentTimeMillis)
  const nextLap = Effect.map(Clock.currentTimeMillis, (now) => now - MutableRef.getAndSet(lapStart, now))
  const superseded = () => new RunSuperseded({ run: lease.run })
  const change = (changes: ReadonlyArray<TaskChange>) => repo.change(id, byRun(lease.run, changes))
  const keepTrying = <R>(write: Effect.Effect<Changed, WriteFailure, R>): Effect.Effect<Task, RunSuperseded, R> =>
    write.pipe(
      Effect.map(({ task }) => MutableRef.setAndGet(current, task)),
      Effect.catchTags({
        StorageFull: () => Effect.delay(keepTrying(write), spaceCheck),
        TaskNotFound: superseded,
        IllegalTransition: superseded
      })
    )
  const run: TaskRun = {
    number: lease.run,
    interrupts,
    secrets,
    mask: maskOf(secrets),
    mayHavePending,
    lap: Effect.map(nextLap, (ms) => TaskChange.Worked({ ms })),
    skipLap: Effect.asVoid(nextLap),
    task: Effect.sync(() => MutableRef.get(current)),
    record: (changes) => keepTrying(change(changes)),
    recordChosen: (choose) =>
      keepTrying(transaction.run(repo.get(id).pipe(Effect.flatMap(choose), Effect.flatMap(change))))
  }
  return run
})
