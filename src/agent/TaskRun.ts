/**
 * One run of one task, as the parts of the agent see it: what they may write, and who may interrupt a tool.
 */
import { Clock, Effect, type Queue, Ref, Schedule } from "effect"
import type { Task } from "../services/Task.ts"
import { TaskChange } from "../services/TaskChange.ts"
import { byRun, RunSuperseded } from "../services/TaskCommands.ts"
import type { Lease } from "../services/TaskQueue.ts"
import { TaskRepo } from "../services/TaskRepo.ts"

export interface TaskRun {
  readonly number: number
  /** The task as this run last wrote it. */
  readonly task: Effect.Effect<Task>
  /**
   * Stores changes in the name of this run. A full disk holds the run still until there is space: nothing is lost.
   * Fails once another run has taken over, or the task was cancelled.
   */
  readonly record: (changes: ReadonlyArray<TaskChange>) => Effect.Effect<Task, RunSuperseded>
  /** The time of work since the last lap, as a change to record. */
  readonly lap: Effect.Effect<TaskChange>
  /** Begins a new lap: the time since the last one was not work. */
  readonly skipLap: Effect.Effect<void>
  /** Requests to interrupt the running tool; none is kept from before the tool began. */
  readonly interrupts: Queue.Dequeue<void>
}

/** How often a write that found no space is tried again. */
const spaceCheck = Schedule.spaced("2 seconds")

export const make = Effect.fnUntraced(function* (lease: Lease, interrupts: Queue.Dequeue<void>) {
  const repo = yield* TaskRepo
  const current = yield* Ref.make(lease.task)
  const lapStart = yield* Ref.make(yield* Clock.currentTimeMillis)
  const nextLap = Effect.flatMap(Clock.currentTimeMillis, (now) => Ref.modify(lapStart, (start) => [now - start, now]))
  const superseded = () => new RunSuperseded({ run: lease.run })
  const run: TaskRun = {
    number: lease.run,
    interrupts,
    lap: Effect.map(nextLap, (ms) => TaskChange.Worked({ ms })),
    skipLap: Effect.asVoid(nextLap),
    task: Ref.get(current),
    record: (changes) =>
      repo.change(lease.task.id, byRun(lease.run, changes)).pipe(
        Effect.retry({ schedule: spaceCheck, while: (error) => error._tag === "StorageFull" }),
        Effect.catchTags({ StorageFull: superseded, TaskNotFound: superseded, IllegalTransition: superseded }),
        Effect.map(({ task }) => task),
        Effect.tap((task) => Ref.set(current, task))
      )
  }
  return run
})
