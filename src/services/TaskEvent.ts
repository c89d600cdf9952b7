/**
 * Everything an observer can learn about a task: the public words of the log.
 *
 * Owns: the schema of each event, and of an event as it stands in a stream.
 * Does not own: what the server writes with it in the same transaction (`TaskChange.ts`), delivery (`EventBus.ts`).
 */
import { Schema } from "effect"
import { CommitId, MessageId, QuestionId, TaskId, ToolCallId } from "./Ids.ts"
import { ContentBlock, Role } from "./Message.ts"
import { PausedBudget, PullRequest, RepositoryRef, TaskError, Timestamp, Usage } from "./Task.ts"
import { RunReason, TaskPhase, TaskStatus } from "./TaskStatus.ts"

const event = <const Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), ...fields }).annotations({
    identifier: `Event_${type.replace(".", "_")}`
  })

/** The beginning and the end of a text whose middle may be missing; `bytes` counts the whole. */
export const Excerpt = Schema.Struct({
  head: Schema.String,
  tail: Schema.String,
  bytes: Schema.Int
}).annotations({ identifier: "Excerpt" })
export interface Excerpt extends Schema.Schema.Type<typeof Excerpt> {}

export const QuestionKind = Schema.Literal("question", "approval", "budget").annotations({ identifier: "QuestionKind" })
export type QuestionKind = typeof QuestionKind.Type

export const Decision = Schema.Literal("allow", "deny").annotations({ identifier: "Decision" })
export type Decision = typeof Decision.Type

export const Answer = Schema.Struct({
  decision: Decision,
  choice: Schema.optionalWith(Schema.String, { exact: true }),
  text: Schema.optionalWith(Schema.String, { exact: true })
}).annotations({ identifier: "Answer" })
export interface Answer extends Schema.Schema.Type<typeof Answer> {}

export const TaskEvent = Schema.Union(
  event("task.created", { title: Schema.String, prompt: Schema.String, repository: RepositoryRef }),
  event("task.queued", { reason: RunReason }),
  event("run.started", { run: Schema.Int, reason: RunReason }),
  event("sandbox.ready", {}),
  event("repository.ready", { baseCommit: Schema.NullOr(CommitId), branch: Schema.String }),
  event("message.added", {
    messageId: MessageId,
    role: Role,
    content: Schema.Array(ContentBlock),
    /** True when the content was cut to fit; the whole is behind `GET /tasks/{id}/messages`. */
    truncated: Schema.optionalWith(Schema.Boolean, { exact: true })
  }),
  event("message.queued", { messageId: MessageId, mode: Schema.Literal("steer", "queue"), text: Schema.String }),
  event("message.withdrawn", { messageId: MessageId }),
  event("tool.started", {
    toolCallId: ToolCallId,
    tool: Schema.String,
    input: Schema.Unknown,
    truncated: Schema.optionalWith(Schema.Boolean, { exact: true })
  }),
  event("tool.finished", {
    toolCallId: ToolCallId,
    isError: Schema.Boolean,
    exitCode: Schema.optionalWith(Schema.Int, { exact: true }),
    durationMs: Schema.Int,
    output: Excerpt
  }),
  event("checkpoint.saved", {
    commit: CommitId,
    files: Schema.Int,
    additions: Schema.Int,
    deletions: Schema.Int
  }),
  event("usage.updated", Usage.fields),
  event("question.opened", {
    questionId: QuestionId,
    revision: Schema.Int,
    kind: QuestionKind,
    title: Schema.String,
    detail: Schema.String,
    choices: Schema.Array(Schema.String),
    expiresAt: Timestamp,
    default: Answer
  }),
  event("question.closed", {
    questionId: QuestionId,
    revision: Schema.Int,
    outcome: Schema.Literal("answered", "expired", "cancelled"),
    answer: Answer
  }),
  event("retry.scheduled", { code: Schema.String, message: Schema.String, attempt: Schema.Int, delayMs: Schema.Int }),
  event("network.blocked", { host: Schema.String, reason: Schema.String }),
  event("delivery.started", {}),
  /** CI definitions that the work changes; none any more when empty. */
  event("ci.changed", { paths: Schema.Array(Schema.String) }),
  event("branch.pushed", {
    branch: Schema.String,
    commit: CommitId,
    /** CI definitions that the branch changes, when it changes any. */
    ciChanges: Schema.optionalWith(Schema.Array(Schema.String), { exact: true })
  }),
  event("pull_request.opened", { url: PullRequest.fields.url, number: PullRequest.fields.number }),
  event("pull_request.updated", PullRequest.fields),
  /** Messages and checkpoints that this leaves behind are `superseded`: read the lists again. */
  event("task.rewound", { checkpoint: CommitId }),
  event("task.updated", { fields: Schema.Array(Schema.String) }),
  event("task.waiting", { questionId: QuestionId }),
  event("task.paused", {
    reason: Schema.String,
    /** With the reason `budget_reached`: which limit it was. */
    budget: Schema.optionalWith(PausedBudget, { exact: true })
  }),
  event("task.resumed", {}),
  event("task.completed", {}),
  event("task.failed", TaskError.fields),
  event("task.cancelled", {})
).annotations({ identifier: "TaskEvent" })
export type TaskEvent = typeof TaskEvent.Type
export type TaskEventType = TaskEvent["type"]

/** A task as a line of a list: what `inbox` carries. */
export const TaskCard = Schema.Struct({
  id: TaskId,
  status: TaskStatus,
  phase: Schema.NullOr(TaskPhase),
  title: Schema.String,
  repository: RepositoryRef,
  branch: Schema.String,
  pullRequest: Schema.NullOr(PullRequest),
  costUsd: Schema.Number,
  error: Schema.NullOr(TaskError),
  pausedReason: Schema.NullOr(Schema.String),
  pausedBudget: Schema.NullOr(PausedBudget),
  tags: Schema.Array(Schema.String),
  /** The newest event of the task's own stream. */
  seq: Schema.Int,
  createdAt: Timestamp,
  startedAt: Schema.NullOr(Timestamp),
  finishedAt: Schema.NullOr(Timestamp)
}).annotations({ identifier: "TaskCard" })
export interface TaskCard extends Schema.Schema.Type<typeof TaskCard> {}

export const InboxEvent = event("task.changed", { task: TaskCard }).annotations({ identifier: "InboxEvent" })
export type InboxEvent = typeof InboxEvent.Type

export const AnyEvent = Schema.Union(TaskEvent, InboxEvent)
export type AnyEvent = typeof AnyEvent.Type
