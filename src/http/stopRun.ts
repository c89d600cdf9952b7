/**
 * Ending the run of a task that was cancelled.
 *
 * Owns: that it ends even when the client that asked for it has gone, and how long an answer waits for it.
 * Does not own: ending it (`TaskRunner`).
 */
import { Effect, Fiber, FiberMap } from "effect"
import type { TaskId } from "../services/Ids.ts"
import { TaskQueue } from "../services/TaskQueue.ts"
import { TaskRunner } from "../services/TaskRunner.ts"

const patience = "8 seconds"

export const makeStopRun = Effect.gen(function* () {
  const runner = yield* TaskRunner
  const queue = yield* TaskQueue
  const stops = yield* FiberMap.make<TaskId, void, never>()

  return {
    /** Returns at once. */
    begin: (id: TaskId): Effect.Effect<void> =>
      Effect.zipRight(runner.stop(id), queue.wake).pipe(
        Effect.interruptible,
        FiberMap.run(stops, id, { onlyIfMissing: true }),
        Effect.asVoid
      ),
    /** Waits for the end. A run that takes too long is left to itself: its task has the final status already. */
    ended: (id: TaskId): Effect.Effect<void> =>
      FiberMap.get(stops, id).pipe(Effect.flatMap(Fiber.await), Effect.timeoutOption(patience), Effect.ignore)
  }
})
