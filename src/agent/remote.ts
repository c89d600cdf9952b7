/**
 * Trouble with the git remote: when to try again, and what it means for the task when that does not help.
 */
import { Duration, Effect, Random, Schedule } from "effect"
import type { BranchMoved, RemoteFailed } from "../services/GitStore.ts"
import { TaskChange } from "../services/TaskChange.ts"
import { credentialNeeded, diskFull } from "../services/TaskCommands.ts"
import { TaskFailed, TaskPaused } from "./outcome.ts"
import type { TaskRun } from "./TaskRun.ts"

const mostRetries = 8
const longestDelayMs = 60_000

/** One second doubling to a minute with jitter, as long as the remote's trouble may pass by itself. */
export const remoteRetries = (run: TaskRun) =>
  Schedule.identity<RemoteFailed | BranchMoved>().pipe(
    Schedule.intersect(Schedule.recurs(mostRetries)),
    Schedule.whileInput((error: RemoteFailed | BranchMoved) => error._tag === "RemoteFailed" && error.retryable),
    Schedule.modifyDelayEffect(([error, attempt]) =>
      Effect.gen(function* () {
        const jitter = yield* Random.nextRange(0.5, 1)
        const delayMs = Math.round(Math.min(longestDelayMs, 1_000 * 2 ** attempt) * jitter)
        const retry = { code: "repository_unreachable", message: error.message, attempt: attempt + 1, delayMs }
        yield* Effect.ignore(run.record([TaskChange.RetryScheduled(retry)]))
        return Duration.millis(delayMs)
      })
    )
  )

const pauses: Partial<Record<RemoteFailed["reason"], string>> = { auth: credentialNeeded, no_space: diskFull }

/** A missing sign-in and a full disk pause the task; everything else that retries did not mend fails it. */
export const remoteTrouble = (error: RemoteFailed): Effect.Effect<never, TaskFailed | TaskPaused> => {
  const reason = pauses[error.reason]
  return reason === undefined
    ? new TaskFailed({ code: `repository_${error.reason}`, message: error.detail })
    : new TaskPaused({ reason })
}
