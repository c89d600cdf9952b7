/** Points around recovery, after a task was taken, and at every wake-up. */
import { Context, Effect, Layer } from "effect"
import * as TaskQueueSqlite from "../../../src/layers/TaskQueueSqlite.ts"
import { TaskQueue } from "../../../src/services/TaskQueue.ts"
import { around, point } from "../faultPoint.ts"

export const layer = Layer.map(TaskQueueSqlite.layer, (context) => {
  const queue = Context.get(context, TaskQueue)
  return Context.add(context, TaskQueue, {
    ...queue,
    take: Effect.tap(queue.take, () => point("queue.taken")),
    // Nobody waits for a wake-up: the failure of one is its loss.
    wake: Effect.ignore(Effect.zipRight(point("queue.wake", Effect.fail("lost")), queue.wake)),
    recover: around("queue.recover", queue.recover)
  })
})
