/**
 * What forges say of the pull requests of tasks, kept up to date.
 *
 * Owns: how often a forge is asked: at most once a minute for a task that people look at, and when it tells of news.
 * Does not own: what is stored then (`openPullRequest.ts`).
 */
import { Cache, Effect, Either, FiberMap } from "effect"
import { Forge } from "../services/Forge.ts"
import type { TaskId } from "../services/Ids.ts"
import { pullRequestNews } from "../services/openPullRequest.ts"
import type { Task } from "../services/Task.ts"
import { TaskRepo } from "../services/TaskRepo.ts"

const atMostEvery = "1 minute"
const mostTasks = 10_000

export const makeWatchPullRequest = Effect.gen(function* () {
  const forge = yield* Forge
  const repo = yield* TaskRepo
  const looks = yield* FiberMap.make<TaskId, void, never>()

  const look = Effect.fnUntraced(
    function* (id: TaskId) {
      const { owner, pullRequest, repository } = yield* repo.get(id)
      if (pullRequest === null) return
      const seen = yield* forge.look({ owner, url: repository.url }, pullRequest.number)
      yield* repo.change(id, (task) =>
        Either.right(task.pullRequest?.number === seen.number ? pullRequestNews(task, seen) : [])
      )
    },
    Effect.catchAll((failure) => Effect.logDebug("A pull request could not be looked at.", failure))
  )

  /** Returns at once; one look at a time for each task. */
  const soon = (id: TaskId): Effect.Effect<void> =>
    Effect.asVoid(FiberMap.run(looks, id, Effect.interruptible(look(id)), { onlyIfMissing: true }))

  const seldom = yield* Cache.make({ capacity: mostTasks, timeToLive: atMostEvery, lookup: soon })

  return {
    /** The forge told of news. */
    now: soon,
    /** Somebody looks at the task: what is merged changes no more. */
    onRead: (task: Task): Effect.Effect<void> =>
      task.pullRequest === null || task.pullRequest.state === "merged" ? Effect.void : seldom.get(task.id)
  }
})
