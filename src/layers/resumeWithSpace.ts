/** Tasks that paused for lack of space go on when there is some. */
import { Duration, Effect } from "effect"
import { DiskSpace } from "../services/DiskSpace.ts"
import { diskFull, spaceReturned } from "../services/TaskCommands.ts"
import { TaskQueue } from "../services/TaskQueue.ts"
import { TaskRepo } from "../services/TaskRepo.ts"

/** How long a task stays paused that found no space where the watch saw some: a quota, or another file system. */
const interval = Duration.seconds(30)

/** Never ends. Whatever can't be stored now is tried again. */
export const resumeWithSpace = Effect.gen(function* () {
  const disk = yield* DiskSpace
  const repo = yield* TaskRepo
  const queue = yield* TaskQueue
  const resume = Effect.gen(function* () {
    const paused = yield* repo.withStatus(["paused"])
    const waiting = paused.filter(({ pausedReason }) => pausedReason === diskFull)
    yield* Effect.forEach(waiting, ({ id }) => Effect.ignore(repo.change(id, spaceReturned)), { discard: true })
    if (waiting.length > 0) yield* queue.wake
  })
  return yield* disk.until(false).pipe(
    Effect.zipRight(resume),
    Effect.zipRight(Effect.timeoutOption(disk.until(true), interval)),
    Effect.catchAllCause((cause) => Effect.logWarning("Paused tasks could not be resumed; it is tried again.", cause)),
    Effect.forever
  )
})
