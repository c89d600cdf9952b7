/**
 * The pull request of a delivery: when to try again, and what a forge's refusal means for the task.
 */
import { Duration, Effect, Random, Schedule } from "effect"
import type { AppConfig } from "../services/AppConfig.ts"
import type { ForgeFailed } from "../services/Forge.ts"
import { openPullRequest, pullRequestNews } from "../services/openPullRequest.ts"
import { TaskChange } from "../services/TaskChange.ts"
import { TaskFailed, type TaskPaused } from "./outcome.ts"
import { signInNeeded } from "./remote.ts"
import type { TaskRun } from "./TaskRun.ts"

const mostRetries = 8
const longestDelayMs = 60_000
/** GitHub's limit is one of an hour. */
const longestWaitMs = 3_600_000 + 60_000

/** Brings the branch to its pull request. A run that died right after it was opened has left it to be found. */
export const bringPullRequest = Effect.fnUntraced(function* (run: TaskRun) {
  const task = yield* run.task
  // One that a person asked for later is kept up to date too.
  const isWanted = task.delivery === "pull_request" || task.pullRequest !== null
  if (!isWanted || task.pushedCommit === null) return
  const pullRequest = yield* openPullRequest(task, task.pushedCommit).pipe(
    Effect.retry(forgeRetries(run)),
    Effect.catchTag("ForgeFailed", forgeTrouble(run))
  )
  const news = pullRequestNews(task, pullRequest)
  if (news.length > 0) yield* run.record(news)
})

/** As long as the forge asks to wait, or else one second doubling to a minute with jitter. */
const forgeRetries = (run: TaskRun) =>
  Schedule.identity<ForgeFailed>().pipe(
    Schedule.intersect(Schedule.recurs(mostRetries)),
    Schedule.whileInput((error: ForgeFailed) => error.retryable),
    Schedule.modifyDelayEffect(([error, attempt]) =>
      Effect.gen(function* () {
        const jitter = yield* Random.nextRange(0.5, 1)
        const backOffMs = Math.min(longestDelayMs, 1_000 * 2 ** attempt) * jitter
        const delayMs = Math.round(error.waitMs === null ? backOffMs : Math.min(error.waitMs, longestWaitMs))
        const retry = { code: `forge_${error.reason}`, message: error.message, attempt: attempt + 1, delayMs }
        yield* Effect.ignore(run.record([TaskChange.RetryScheduled(retry)]))
        return Duration.millis(delayMs)
      })
    )
  )

/** The branch is pushed by now: nothing of the work is lost, whatever the forge says. */
const forgeTrouble =
  (run: TaskRun) =>
  (error: ForgeFailed): Effect.Effect<never, TaskFailed | TaskPaused, AppConfig> =>
    error.reason === "auth"
      ? signInNeeded(run)
      : Effect.flatMap(run.task, ({ branch }) =>
          Effect.fail(
            new TaskFailed({
              code: error.reason === "not_found" ? "repository_not_found" : `pull_request_${error.reason}`,
              message: `${error.detail} The work is on the branch ${branch}; retry the task to try again.`
            })
          )
        )
