/**
 * Whose turn it is.
 *
 * Owns: the order of waiting tasks (fairness between users, then priority; `startAt`), the limits on how many run at once,
 * leases, and finding tasks whose server died.
 * Does not own: the task itself (`TaskRepo.ts`), the run (`TaskRunner.ts`).
 */
import { Context, type Effect, type Option, type Scope } from "effect"
import type { TaskId } from "./Ids.ts"
import type { Task } from "./Task.ts"

/** The right to run a task. `run` is the fencing number: whoever holds a later one has taken over. */
export interface Lease {
  readonly task: Task
  readonly run: number
}

export class TaskQueue extends Context.Tag("errand/services/TaskQueue")<
  TaskQueue,
  {
    /**
     * Waits until a task may start and leases it: it is `running`, under a new run number, when this succeeds.
     * The lease holds a slot and is renewed until the scope closes.
     */
    readonly take: Effect.Effect<Lease, never, Scope.Scope>
    /** Says that a task was queued or a slot became free; harmless when nothing did. */
    readonly wake: Effect.Effect<void>
    /** Tasks that stand before this one, 0 for the next to start; none when it is not queued. */
    readonly position: (id: TaskId) => Effect.Effect<Option.Option<number>>
    /**
     * Queues again what a dead server left running: everything at start, expired leases later. A task that was put back
     * twice in a row without a step done in between starts again only when nothing has broken down for 15 s, one such
     * task at a time; when it is put back once more, it fails as `poisoned`.
     */
    readonly recover: Effect.Effect<ReadonlyArray<TaskId>>
  }
>() {}
