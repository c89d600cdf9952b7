/**
 * Trouble with getting a sandbox: when to try again, and what it means for the task when that does not help.
 */
import { Duration, Effect, Random, Schedule } from "effect"
import type { SandboxUnavailable } from "../services/Sandbox.ts"
import { TaskChange } from "../services/TaskChange.ts"
import { diskFull } from "../services/TaskCommands.ts"
import { TaskFailed, TaskPaused } from "./outcome.ts"
import type { TaskRun } from "./TaskRun.ts"

/** Why a task is paused whose files don't fit into a sandbox. */
export const sandboxDiskFull = "sandbox_disk_full"

const mostRetries = 20
const longestDelayMs = 30_000

/** An engine that does not answer may be starting: it is asked for about six minutes, half a second doubling to 30 with jitter. */
export const sandboxRetries = (run: TaskRun) =>
  Schedule.identity<SandboxUnavailable>().pipe(
    Schedule.intersect(Schedule.recurs(mostRetries)),
    Schedule.whileInput((error: SandboxUnavailable) => error.reason === "engine"),
    Schedule.modifyDelayEffect(([error, attempt]) =>
      Effect.gen(function* () {
        const jitter = yield* Random.nextRange(0.5, 1)
        const delayMs = Math.round(Math.min(longestDelayMs, 500 * 2 ** attempt) * jitter)
        const retry = { code: "sandbox_unavailable", message: error.message, attempt: attempt + 1, delayMs }
        yield* Effect.ignore(run.record([TaskChange.RetryScheduled(retry)]))
        return Duration.millis(delayMs)
      })
    )
  )

/** The engine's disk may be another than the server's, which is watched: the task is tried again all the same. */
const fullDisk = /no space left on device|disk quota exceeded/i

export const sandboxTrouble = (error: SandboxUnavailable): Effect.Effect<never, TaskFailed | TaskPaused> =>
  fullDisk.test(error.detail)
    ? new TaskPaused({ reason: diskFull })
    : new TaskFailed({
        code: `sandbox_${error.reason === "engine" ? "unavailable" : error.reason}`,
        message: error.detail
      })
