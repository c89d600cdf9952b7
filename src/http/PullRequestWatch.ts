/**
 * What forges say of the pull requests of tasks, kept up to date.
 *
 * Owns: how often a forge is asked: at most once a minute for a task that people look at, and when it tells of news.
 * Does not own: what is stored then (`openPullRequest.ts`).
 */
import { Cache, Context, Effect, Either, FiberMap, Layer } from "effect"
import { Forge } from "../services/Forge.ts"
import type { TaskId } from "../services/Ids.ts"
import { pullRequestNews } from "../services/openPullRequest.ts"
import type { Task } from "../services/Task.ts"
import { TaskRepo } from "../services/TaskRepo.ts"

const atMostEvery = "1 minute"
const mostTasks = 10_000

export class PullRequestWatch extends Context.Tag("errand/http/PullRequestWatch")<
  PullRequestWatch,
  {
    /** The forge told of news. Returns at once; a look that has begun begins anew, because it may have seen what was. */
    readonly now: (id: TaskId) => Effect.Effect<void>
    /** Somebody looks at the task. Returns at once; what is merged changes no more. */
    readonly onRead: (task: Task) => Effect.Effect<void>
  }
>() {}

export const layer = Layer.scoped(
  PullRequestWatch,
  Effect.gen(function* () {
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
      Effect.catchAll((failure) => Effect.logDebug("A pull request could not be looked at.", failure)),
      (effect, id) => Effect.annotateLogs(Effect.interruptible(effect), "taskId", id)
    )

    const now = (id: TaskId): Effect.Effect<void> => Effect.asVoid(FiberMap.run(looks, id, look(id)))

    const seldom = yield* Cache.make({
      capacity: mostTasks,
      timeToLive: atMostEvery,
      lookup: (id: TaskId) => Effect.asVoid(FiberMap.run(looks, id, look(id), { onlyIfMissing: true }))
    })

    return PullRequestWatch.of({
      now,
      onRead: ({ id, pullRequest }) =>
        pullRequest === null || pullRequest.state === "merged" ? Effect.void : seldom.get(id)
    })
  })
)
