/**
 * Trouble with the git remote: when to try again, and what it means for the task when that does not help.
 */
import { Effect, Option } from "effect"
import { AppConfig } from "../services/AppConfig.ts"
import { forgeOf } from "../services/forges.ts"
import type { BranchMoved, RemoteFailed } from "../services/GitStore.ts"
import { credentialNeeded, diskFull, reconnectGitHub } from "../services/TaskCommands.ts"
import { TaskFailed, TaskPaused } from "./outcome.ts"
import { retries } from "./retries.ts"
import type { TaskRun } from "./TaskRun.ts"

/** For some minutes, as long as the remote's trouble may pass by itself. */
export const remoteRetries = (run: TaskRun) =>
  retries<RemoteFailed | BranchMoved>(run, {
    helpsWith: (error) => error._tag === "RemoteFailed" && error.retryable,
    most: 8,
    firstDelayMs: 1_000,
    longestDelayMs: 60_000,
    code: () => "repository_unreachable"
  })

/** What the owner of a task has to do where the repository lives, before it goes on. */
export const signInNeeded = Effect.fnUntraced(function* (run: TaskRun) {
  const { repository } = yield* run.task
  const forge = forgeOf(repository.url, yield* AppConfig)
  const isGitHub = Option.exists(forge, ({ kind }) => kind === "github")
  return yield* new TaskPaused({ reason: isGitHub ? reconnectGitHub : credentialNeeded })
})

/** A missing sign-in and a full disk pause the task; everything else that retries did not mend fails it. */
export const remoteTrouble =
  (run: TaskRun) =>
  (error: RemoteFailed): Effect.Effect<never, TaskFailed | TaskPaused, AppConfig> => {
    switch (error.reason) {
      case "auth":
        return signInNeeded(run)
      case "no_space":
        return new TaskPaused({ reason: diskFull })
      default:
        return new TaskFailed({ code: `repository_${error.reason}`, message: error.detail })
    }
  }
