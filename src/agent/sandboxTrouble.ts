/**
 * Trouble with getting a sandbox: when to try again, and what it means for the task when that does not help.
 */
import { Duration, Effect, Schedule } from "effect"
import type { SandboxUnavailable } from "../services/Sandbox.ts"
import { TaskChange } from "../services/TaskChange.ts"
import { TaskFailed } from "./outcome.ts"
import type { TaskRun } from "./TaskRun.ts"

const mostRetries = 20
const longestDelayMs = 30_000

/** An engine that does not answer may be starting: it is asked for about eight minutes. */
export const sandboxRetries = (run: TaskRun) =>
  Schedule.identity<SandboxUnavailable>().pipe(
    Schedule.intersect(Schedule.recurs(mostRetries)),
    Schedule.whileInput((error: SandboxUnavailable) => error.reason === "engine"),
    Schedule.modifyDelayEffect(([error, attempt]) => {
      const delayMs = Math.min(longestDelayMs, 500 * 2 ** attempt)
      const retry = { code: "sandbox_unavailable", message: error.message, attempt: attempt + 1, delayMs }
      return Effect.as(Effect.ignore(run.record([TaskChange.RetryScheduled(retry)])), Duration.millis(delayMs))
    })
  )

export const sandboxTrouble = (error: SandboxUnavailable) =>
  new TaskFailed({ code: `sandbox_${error.reason === "engine" ? "unavailable" : error.reason}`, message: error.detail })
