/**
 * A task: one job for the agent on one repository.
 *
 * Owns: the schemas of a task, of what a user asks for, and of what it has cost.
 * Does not own: how a task changes (`TaskChange.ts`), its conversation (`Message.ts`).
 */
import { DateTime, Option, Schema } from "effect"
import { CommitId, ScheduleId, TaskId, UserId } from "./Ids.ts"
import { RunReason, TaskPhase, TaskStatus } from "./TaskStatus.ts"

/** RFC 3339 in UTC with milliseconds, as `2026-01-31T12:00:00.000Z`: sorts as text. */
export const Timestamp = Schema.String.pipe(
  Schema.pattern(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/),
  Schema.annotations({ identifier: "Timestamp", jsonSchema: { type: "string", format: "date-time" } })
)
export type Timestamp = typeof Timestamp.Type

const isDay = (text: string): boolean =>
  Option.exists(DateTime.make(`${text}T00:00:00.000Z`), (moment) => DateTime.formatIsoDateUtc(moment) === text)

/** A day in UTC from 1970 on, as `2026-01-31`: sorts as text. */
export const Day = Schema.String.pipe(
  Schema.filter((text) => /^\d{4}-\d{2}-\d{2}$/.test(text) && text >= "1970-01-01" && isDay(text)),
  Schema.annotations({ identifier: "Day", jsonSchema: { type: "string", format: "date" } })
)
export type Day = typeof Day.Type

export const dayOf = (moment: Timestamp): Day => moment.slice(0, 10)

/** US dollars as a decimal number. */
export const Usd = Schema.Number.pipe(Schema.finite(), Schema.nonNegative(), Schema.annotations({ identifier: "Usd" }))

export const Delivery = Schema.Literal("none", "branch", "pull_request").annotations({ identifier: "Delivery" })
export type Delivery = typeof Delivery.Type

export const Approvals = Schema.Literal("never", "ask").annotations({ identifier: "Approvals" })
export type Approvals = typeof Approvals.Type

export const NetworkMode = Schema.Literal("none", "registries", "allowlist", "open").annotations({
  identifier: "NetworkMode"
})
export type NetworkMode = typeof NetworkMode.Type

export const Network = Schema.Struct({
  mode: NetworkMode,
  hosts: Schema.Array(Schema.String)
}).annotations({ identifier: "Network" })
export interface Network extends Schema.Schema.Type<typeof Network> {}

export const Limits = Schema.Struct({
  maxTurns: Schema.Int.pipe(Schema.between(1, 10_000)),
  maxCostUsd: Schema.Number.pipe(Schema.finite(), Schema.between(0, 100_000)),
  /** Time of work, not of waiting: the sum over all runs. */
  maxDurationSeconds: Schema.Int.pipe(Schema.between(1, 30 * 24 * 3600))
}).annotations({ identifier: "Limits" })
export interface Limits extends Schema.Schema.Type<typeof Limits> {}

export const defaultLimits: Limits = { maxTurns: 100, maxCostUsd: 5, maxDurationSeconds: 7200 }

export const RepositoryRef = Schema.Struct({
  url: Schema.String,
  ref: Schema.NullOr(Schema.String)
}).annotations({ identifier: "RepositoryRef" })
export interface RepositoryRef extends Schema.Schema.Type<typeof RepositoryRef> {}

/** Tokens as the Messages API counts them: `inputTokens` are the uncached ones. */
export const Usage = Schema.Struct({
  inputTokens: Schema.Int,
  outputTokens: Schema.Int,
  cacheReadTokens: Schema.Int,
  cacheWriteTokens: Schema.Int,
  costUsd: Usd
}).annotations({ identifier: "Usage" })
export interface Usage extends Schema.Schema.Type<typeof Usage> {}

export const noUsage: Usage = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, costUsd: 0 }

/** Adds up to a billionth of a dollar, so that sums of small prices stay readable. */
export const addUsage = (a: Usage, b: Usage): Usage => ({
  inputTokens: a.inputTokens + b.inputTokens,
  outputTokens: a.outputTokens + b.outputTokens,
  cacheReadTokens: a.cacheReadTokens + b.cacheReadTokens,
  cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
  costUsd: Math.round((a.costUsd + b.costUsd) * 1e9) / 1e9
})

/** What some answers of the model cost together. */
export const Spend = Schema.Struct({ ...Usage.fields, responses: Schema.Int }).annotations({ identifier: "Spend" })
export interface Spend extends Schema.Schema.Type<typeof Spend> {}

/** Which limit of money was reached: the task's own, or a budget that tasks share (`Budgets.ts`). */
export const MoneyLimit = Schema.Literal("task", "day", "user", "repository").annotations({ identifier: "MoneyLimit" })
export type MoneyLimit = typeof MoneyLimit.Type

/** The limit that left less than `neededUsd`, which the task's next request may cost with the shortest useful answer. */
export const PausedBudget = Schema.Struct({ limit: MoneyLimit, neededUsd: Usd }).annotations({
  identifier: "PausedBudget"
})
export interface PausedBudget extends Schema.Schema.Type<typeof PausedBudget> {}

/** Why a task ended badly: a stable code for programs, a sentence with a remedy for people. */
export const TaskError = Schema.Struct({
  code: Schema.String,
  message: Schema.String
}).annotations({ identifier: "TaskError" })
export interface TaskError extends Schema.Schema.Type<typeof TaskError> {}

/** As the forge had it when it was last looked at. */
export const PullRequest = Schema.Struct({
  url: Schema.String,
  number: Schema.Int,
  state: Schema.Literal("open", "closed", "merged"),
  draft: Schema.Boolean,
  /** Of the newest commit: `failed` when any has failed, `passed` when all are done and none has. */
  checks: Schema.Literal("none", "pending", "passed", "failed"),
  /** `changes_requested` when any reviewer still asks for changes. */
  review: Schema.Literal("none", "approved", "changes_requested")
}).annotations({ identifier: "PullRequest" })
export interface PullRequest extends Schema.Schema.Type<typeof PullRequest> {}

export const Task = Schema.Struct({
  id: TaskId,
  owner: UserId,
  /** The schedule that made the task; it may be gone by now. */
  scheduleId: Schema.NullOr(ScheduleId),
  status: TaskStatus,
  phase: Schema.NullOr(TaskPhase),
  title: Schema.String,
  prompt: Schema.String,
  repository: RepositoryRef,
  /** The branch that is pushed; fixed when the task is created. */
  branch: Schema.String,
  /** Commit the task starts from; null until cloned, and for an empty repository. */
  baseCommit: Schema.NullOr(CommitId),
  /** The newest commit with the work: the last checkpoint, then the delivered commit. */
  headCommit: Schema.NullOr(CommitId),
  /** What the remote branch held after our last push: the expectation of the next one. */
  pushedCommit: Schema.NullOr(CommitId),
  /** The newest delivered commit that the present line of work includes: the parent of the next one. */
  deliveredCommit: Schema.NullOr(CommitId),
  /** The line of work that the task is on, from 1: each rewind begins another. */
  line: Schema.Int,
  delivery: Delivery,
  pullRequest: Schema.NullOr(PullRequest),
  /** Paths of CI definitions that the work changes, as of its last delivery: at most 100, long ones cut. */
  ciChanges: Schema.Array(Schema.String),
  limits: Limits,
  network: Network,
  approvals: Approvals,
  model: Schema.String,
  priority: Schema.Int,
  tags: Schema.Array(Schema.String),
  secrets: Schema.Array(Schema.String),
  startAt: Schema.NullOr(Timestamp),
  expiresAt: Schema.NullOr(Timestamp),
  usage: Usage,
  /** Model turns and milliseconds of work so far, over all runs. */
  turns: Schema.Int,
  workedMs: Schema.Int,
  error: Schema.NullOr(TaskError),
  pausedReason: Schema.NullOr(Schema.String),
  /** With the reason `budget_reached`: which limit it was. */
  pausedBudget: Schema.NullOr(PausedBudget),
  /** The number of the newest run, 0 before the first; every write of a run names it (fencing). */
  runNumber: Schema.Int,
  runStartedAt: Schema.NullOr(Timestamp),
  /** Why the task is in the queue: becomes the `reason` of the next run. */
  queuedReason: RunReason,
  /** Recoveries in a row without one more stored step; a task that reaches two is set aside. */
  recoveries: Schema.Int,
  createdAt: Timestamp,
  queuedAt: Timestamp,
  startedAt: Schema.NullOr(Timestamp),
  finishedAt: Schema.NullOr(Timestamp)
}).annotations({ identifier: "TaskRecord" })
export interface Task extends Schema.Schema.Type<typeof Task> {}

/** What a new task is made of, with every default filled in and every word checked. */
export type TaskDraft = Pick<
  Task,
  | "id"
  | "owner"
  | "scheduleId"
  | "title"
  | "prompt"
  | "repository"
  | "branch"
  | "delivery"
  | "limits"
  | "network"
  | "approvals"
  | "model"
  | "priority"
  | "tags"
  | "secrets"
  | "startAt"
  | "expiresAt"
>
