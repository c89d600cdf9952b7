/**
 * Runs leased tasks.
 *
 * Owns: one interruptible fiber for each running task of this process, and their orderly end.
 * Does not own: what happens in a run (`agent/runTask.ts`), whose turn it is (`TaskQueue.ts`).
 */
import { Context, type Effect } from "effect"
import type { TaskId } from "./Ids.ts"

export class TaskRunner extends Context.Tag("errand/services/TaskRunner")<
  TaskRunner,
  {
    /** Ends the run of a task here, if there is one, and returns when its sandbox is gone. */
    readonly stop: (id: TaskId) => Effect.Effect<void>
    /** Interrupts the tool that a task is running, if any, so that a steering message is heard soon. */
    readonly interruptTool: (id: TaskId) => Effect.Effect<void>
    /** The tasks that run here now. */
    readonly running: Effect.Effect<ReadonlyArray<TaskId>>
    /** Waits until nothing is queued for now and nothing runs. */
    readonly awaitIdle: Effect.Effect<void>
  }
>() {}
