/** What a TaskRepo stores, and where two adapters differ: the rest of a change is `writeTasks.ts`. */
import type { Effect, Option } from "effect"
import type { TaskId } from "../../services/Ids.ts"
import type { Task, Timestamp } from "../../services/Task.ts"
import type { TaskChange } from "../../services/TaskChange.ts"

/** What a change leaves behind beside the task itself. */
export interface Traces {
  /** Plain text for the end of the task's log. */
  readonly log: string
  /** Texts in which search finds the task. */
  readonly searchable: ReadonlyArray<string>
}

/** Every method is called in a transaction. */
export interface TaskStorage {
  readonly load: (id: TaskId) => Effect.Effect<Option.Option<Task>>
  readonly insert: (task: Task, traces: Traces) => Effect.Effect<void>
  readonly update: (before: Task, after: Task, traces: Traces) => Effect.Effect<void>
  /**
   * Stores what a change says of runs, messages, tool calls, checkpoints, questions or costs. False when it comes too
   * late (a response counted before, a question closed before, a message that is pending no more): it did not happen.
   */
  readonly record: (task: Task, change: TaskChange, at: Timestamp) => Effect.Effect<boolean>
  /** The newest run left the task in its present status. */
  readonly endRun: (task: Task, at: Timestamp) => Effect.Effect<void>
  readonly erase: (id: TaskId) => Effect.Effect<void>
}
