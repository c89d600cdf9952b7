/**
 * The pull request of a delivery: when to try again, and what a forge's refusal means for the task.
 */
import { DateTime, Duration, Effect } from "effect"
import type { AppConfig } from "../services/AppConfig.ts"
import type { ForgeFailed } from "../services/Forge.ts"
import { openPullRequest, pullRequestNews } from "../services/openPullRequest.ts"
import { Timestamp } from "../services/Task.ts"
import { TaskChange } from "../services/TaskChange.ts"
import { TaskDeferred, TaskFailed, type TaskPaused } from "./outcome.ts"
import { signInNeeded } from "./remote.ts"
import { retries } from "./retries.ts"
import type { TaskRun } from "./TaskRun.ts"

/** A run that has to wait for longer gives its sandbox and its slot back. */
const longestWaitMs = 2 * 60_000
/** GitHub's limit is one of an hour. */
const longestRest = Duration.minutes(61)

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

const isPatient = ({ waitMs }: ForgeFailed) => waitMs === null || waitMs <= longestWaitMs

const forgeRetries = (run: TaskRun) =>
  retries<ForgeFailed>(run, {
    helpsWith: (error) => error.retryable && isPatient(error),
    most: 8,
    firstDelayMs: 1_000,
    longestDelayMs: 60_000,
    code: ({ reason }) => `forge_${reason}`,
    asksToWait: ({ waitMs }) => waitMs
  })

/** Puts the task back into the queue until the forge wants to be asked again. */
const rest = Effect.fnUntraced(function* (run: TaskRun, { message, reason }: ForgeFailed, askedMs: number) {
  const wait = Duration.min(Duration.millis(askedMs), longestRest)
  const retry = { code: `forge_${reason}`, message, attempt: 1, delayMs: Duration.toMillis(wait) }
  yield* Effect.ignore(run.record([TaskChange.RetryScheduled(retry)]))
  const until = DateTime.addDuration(yield* DateTime.now, wait)
  return yield* new TaskDeferred({ until: Timestamp.make(DateTime.formatIso(until)) })
})

/** The branch is pushed by now: nothing of the work is lost, whatever the forge says. */
const forgeTrouble =
  (run: TaskRun) =>
  (error: ForgeFailed): Effect.Effect<never, TaskDeferred | TaskFailed | TaskPaused, AppConfig> => {
    if (error.reason === "auth") return signInNeeded(run)
    if (error.retryable && error.waitMs !== null && !isPatient(error)) return rest(run, error, error.waitMs)
    return Effect.flatMap(run.task, ({ branch }) =>
      Effect.fail(
        new TaskFailed({
          code: error.reason === "not_found" ? "repository_not_found" : `pull_request_${error.reason}`,
          message: `${error.detail} The work is on the branch ${branch}; retry the task to try again.`
        })
      )
    )
  }
