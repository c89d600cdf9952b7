/**
 * Pausing a task, unless what it would wait for came while its run was still ending: nobody would wake it then.
 */
import { Effect, Option } from "effect"
import { AppConfig } from "../services/AppConfig.ts"
import { ForgeTokens } from "../services/ForgeTokens.ts"
import { GitCredentials } from "../services/GitCredentials.ts"
import { hostOf, policyOf } from "../services/RepositoryUrl.ts"
import { Secrets } from "../services/Secrets.ts"
import type { Task, Timestamp } from "../services/Task.ts"
import { TaskChange } from "../services/TaskChange.ts"
import { credentialNeeded, lifts, reconnectGitHub, secretNeeded } from "../services/TaskCommands.ts"
import type { TaskPaused } from "./outcome.ts"
import type { TaskRun } from "./TaskRun.ts"

type Pause = Pick<TaskPaused, "reason" | "budget" | "limits">

/** What comes is stored before it wakes the tasks that are paused, so one transaction sees the pause or what came. */
export const pause = Effect.fnUntraced(function* (run: TaskRun, why: Pause) {
  const { budget, reason } = why
  const lap = yield* run.lap
  const paused = TaskChange.Paused(budget === undefined ? { reason } : { reason, budget })
  return yield* run.recordChosen((task) =>
    Effect.map(hasCome(why, task), (came) => [lap, came ? TaskChange.Queued({ reason: "resume" }) : paused])
  )
})

/** Free space and room in budgets are looked after for as long as a task waits for them. */
const hasCome = Effect.fnUntraced(function* ({ budget, limits, reason }: Pause, task: Task) {
  switch (reason) {
    case credentialNeeded:
    case reconnectGitHub:
      return yield* signedInSince(task, task.runStartedAt ?? task.createdAt)
    case secretNeeded: {
      const secrets = yield* Secrets
      return (yield* secrets.find(task.owner, task.secrets)).length === task.secrets.length
    }
    default: {
      if (limits === undefined) return false
      return lifts({ ...task, limits, pausedReason: reason, pausedBudget: budget ?? null }, task.limits)
    }
  }
})

/** A sign-in or a credential for the repository's host is newer than the run: at most one run comes too often. */
const signedInSince = Effect.fnUntraced(function* ({ owner, repository }: Task, since: Timestamp) {
  const host = hostOf(repository.url, policyOf(yield* AppConfig))
  if (host === null) return false
  const credentials = yield* Effect.flatMap(GitCredentials, (stored) => stored.list(owner))
  const connection = yield* Effect.flatMap(ForgeTokens, (tokens) => tokens.find(owner, host))
  return (
    credentials.some((credential) => credential.host === host && credential.updatedAt > since) ||
    Option.exists(connection, ({ status, updatedAt }) => status === "connected" && updatedAt > since)
  )
})
