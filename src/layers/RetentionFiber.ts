/**
 * Deletes tasks that ended long ago, with all that belongs to them; what they cost stays in the books.
 */
import { Duration, Effect, Layer, Option, Schedule } from "effect"
import { AppConfig } from "../services/AppConfig.ts"
import { GitStore } from "../services/GitStore.ts"
import type { Task } from "../services/Task.ts"
import { TaskRepo } from "../services/TaskRepo.ts"
import { ago } from "./timestamp.ts"

const interval = Duration.hours(1)
/** Between two of them others have their turn. */
const atOnce = 100

const makeClearing = Effect.fnUntraced(function* (days: number) {
  const repo = yield* TaskRepo
  const store = yield* GitStore

  const remove = ({ id, owner, repository }: Task) =>
    repo.remove(id).pipe(
      Effect.zipRight(store.forget({ owner, url: repository.url }, id)),
      // Whoever goes on with a task at this moment keeps it.
      Effect.catchTag("IllegalTransition", "TaskNotFound", () => Effect.void)
    )

  return Effect.gen(function* () {
    const old = yield* repo.endedBefore(yield* ago(Duration.days(days)), atOnce)
    yield* Effect.forEach(old, remove, { discard: true })
    if (old.length > 0) yield* Effect.logInfo(`deleted ${old.length} tasks that ended more than ${days} days ago`)
    return old.length
  }).pipe(Effect.repeat({ while: (count) => count === atOnce }))
})

export const layer = Layer.scopedDiscard(
  Effect.gen(function* () {
    const { taskRetentionDays } = yield* AppConfig
    if (Option.isNone(taskRetentionDays)) return
    const clear = yield* makeClearing(taskRetentionDays.value)
    yield* clear.pipe(
      Effect.catchAllCause((cause) => Effect.logWarning("Old tasks could not be deleted; it is tried again.", cause)),
      Effect.repeat(Schedule.spaced(interval)),
      Effect.forkScoped
    )
  })
)
