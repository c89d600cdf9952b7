/**
 * From a stored task to what clients see of it.
 */
import { Effect, Option } from "effect"
import { EventBus, taskStream } from "../services/EventBus.ts"
import type { Task } from "../services/Task.ts"
import { TaskQueue } from "../services/TaskQueue.ts"
import type { TaskView } from "./api/TaskView.ts"

/** What only the server needs is still in it; encoding leaves it out. */
const view = (task: Task, live: Pick<TaskView, "position" | "seq" | "epoch">): TaskView => ({
  ...task,
  ...live,
  workedSeconds: task.workedMs / 1000,
  run: task.runStartedAt === null ? null : { number: task.runNumber, startedAt: task.runStartedAt }
})

export const makeViews = Effect.gen(function* () {
  const bus = yield* EventBus
  const queue = yield* TaskQueue
  const position = (task: Task) =>
    task.status === "queued" ? Effect.map(queue.position(task.id), Option.getOrNull) : Effect.succeed(null)

  /** The task as it is after the event `seq` of its stream. */
  const after = (task: Task, seq: number): Effect.Effect<TaskView> =>
    Effect.map(Effect.all([position(task), bus.epoch]), ([position, epoch]) => view(task, { position, seq, epoch }))

  /**
   * The task as `read` finds it. The number is taken before: what happens in between comes again as an event, where
   * the other order would lose it.
   */
  const fresh = <E, R>(id: Task["id"], read: Effect.Effect<Task, E, R>): Effect.Effect<TaskView, E, R> =>
    Effect.gen(function* () {
      const seq = yield* bus.head(taskStream(id))
      return yield* after(yield* read, seq)
    })

  return { after, fresh }
})
