/**
 * Trouble with getting a sandbox: when to try again, and what it means for the task when that does not help.
 */
import type { Effect } from "effect"
import type { SandboxUnavailable } from "../services/Sandbox.ts"
import { diskFull } from "../services/TaskCommands.ts"
import { TaskFailed, TaskPaused } from "./outcome.ts"
import { retries } from "./retries.ts"
import type { TaskRun } from "./TaskRun.ts"

/** Why a task is paused whose files don't fit into a sandbox. */
export const sandboxDiskFull = "sandbox_disk_full"

/** An engine that does not answer may be starting: it is asked for about six minutes. */
export const sandboxRetries = (run: TaskRun) =>
  retries<SandboxUnavailable>(run, {
    helpsWith: ({ reason }) => reason === "engine",
    most: 20,
    firstDelayMs: 500,
    longestDelayMs: 30_000,
    code: () => "sandbox_unavailable"
  })

/** The engine's disk may be another than the server's, which is watched: the task is tried again all the same. */
const fullDisk = /no space left on device|disk quota exceeded/i

export const sandboxTrouble = (error: SandboxUnavailable): Effect.Effect<never, TaskFailed | TaskPaused> =>
  fullDisk.test(error.detail)
    ? new TaskPaused({ reason: diskFull })
    : new TaskFailed({
        code: `sandbox_${error.reason === "engine" ? "unavailable" : error.reason}`,
        message: error.detail
      })
