/**
 * Changes: the words in which the server writes about a task.
 *
 * A change is an event plus what only the server needs to store with it (whole messages, whole outputs, costs).
 * `evolve` says what it does to the task, `toEvent` what observers see of it. Both are pure, so every TaskRepo
 * agrees on them.
 *
 * Owns: the shapes of changes, their effect on a task, their public form.
 * Does not own: which change is right at a moment (`TaskCommands.ts`, `agent/`), storage (`TaskRepo.ts`).
 */
import { Data } from "effect"
import { excerpt, fitContent, fitInput, shorten } from "./excerpts.ts"
import type { CommitId, MessageId, QuestionId, ToolCallId } from "./Ids.ts"
import type { ContentBlock, PendingMode, Role } from "./Message.ts"
import {
  addUsage,
  noUsage,
  type PausedBudget,
  type PullRequest,
  type Task,
  type TaskDraft,
  type TaskError,
  type Timestamp,
  type Usage
} from "./Task.ts"
import type { Answer, QuestionKind, TaskEvent } from "./TaskEvent.ts"
import { canTransition, type RunReason, type TaskStatus } from "./TaskStatus.ts"

export type TaskChange = Data.TaggedEnum<{
  Created: { readonly draft: TaskDraft }
  Queued: { readonly reason: RunReason }
  RunStarted: { readonly run: number; readonly reason: RunReason }
  SandboxReady: {}
  RepositoryReady: { readonly baseCommit: CommitId | null }
  /**
   * `delivers`: the pending messages that this message brings to the model; they are pending no more.
   * `startsOver`: the model's view of the conversation begins anew with this message, which sums up what was before.
   */
  MessageAdded: {
    readonly messageId: MessageId
    readonly role: Role
    readonly content: ReadonlyArray<ContentBlock>
    readonly delivers: ReadonlyArray<MessageId>
    readonly startsOver: boolean
  }
  MessageQueued: { readonly messageId: MessageId; readonly mode: PendingMode; readonly content: string }
  MessageWithdrawn: { readonly messageId: MessageId }
  ToolStarted: { readonly toolCallId: ToolCallId; readonly tool: string; readonly input: unknown }
  /** `output` is what passed the sandbox's bound; `bytes` is what the command wrote in all. */
  ToolFinished: {
    readonly toolCallId: ToolCallId
    readonly isError: boolean
    readonly exitCode: number | null
    readonly durationMs: number
    readonly output: string
    readonly bytes: number
  }
  CheckpointSaved: {
    readonly commit: CommitId
    readonly files: number
    readonly additions: number
    readonly deletions: number
  }
  /**
   * The task goes on from `checkpoint`, on a line of work of its own: conversation and files are as they were then.
   * `deliveredCommit` is what had been delivered by then.
   */
  Rewound: { readonly checkpoint: CommitId; readonly deliveredCommit: CommitId | null }
  /** One answer of the model: counted once for each `responseId`, however often it is reported. */
  ResponseCounted: { readonly responseId: string; readonly model: string; readonly usage: Usage }
  /** `toolCallId`: the tool call that waits for the answer, so that a later run finds it. */
  QuestionOpened: {
    readonly questionId: QuestionId
    readonly toolCallId: ToolCallId | null
    readonly kind: QuestionKind
    readonly title: string
    readonly detail: string
    readonly choices: ReadonlyArray<string>
    readonly expiresAt: Timestamp
    readonly default: Answer
  }
  QuestionClosed: {
    readonly questionId: QuestionId
    readonly revision: number
    readonly outcome: "answered" | "expired" | "cancelled"
    readonly answer: Answer
  }
  RetryScheduled: {
    readonly code: string
    readonly message: string
    readonly attempt: number
    readonly delayMs: number
  }
  NetworkBlocked: { readonly host: string; readonly reason: string }
  DeliveryStarted: {}
  BranchPushed: { readonly branch: string; readonly commit: CommitId }
  PullRequestOpened: { readonly pullRequest: PullRequest }
  /** What the owner changed by hand; never a status. */
  Updated: { readonly patch: Partial<Pick<Task, "title" | "tags" | "priority" | "limits">> }
  /** Time of work that ended with this run's end or with this step. */
  Worked: { readonly ms: number }
  Waiting: { readonly questionId: QuestionId }
  /** `budget`: the limit of money that was reached, when it was one. */
  Paused: { readonly reason: string; readonly budget?: PausedBudget }
  Resumed: {}
  Completed: {}
  Failed: { readonly error: TaskError }
  Cancelled: {}
}>
export const TaskChange = Data.taggedEnum<TaskChange>()

/** The status that a change moves a task to, when it moves it. */
const statusAfter: Partial<Record<TaskChange["_tag"], TaskStatus>> = {
  Queued: "queued",
  RunStarted: "running",
  Waiting: "waiting",
  Paused: "paused",
  Completed: "completed",
  Failed: "failed",
  Cancelled: "cancelled"
}

/** Whether a change may be applied to a task as it is: only status changes can be out of order. */
export const isLegal = (task: Task, change: TaskChange): boolean => {
  const to = statusAfter[change._tag]
  if (change._tag === "Rewound") return task.status !== "running"
  if (change._tag === "Resumed") return task.status === "waiting" || task.status === "running"
  return to === undefined || canTransition(task.status, to)
}

/** The task that a `Created` change makes. */
export const begin = (draft: TaskDraft, now: Timestamp): Task => ({
  ...draft,
  status: "queued",
  phase: null,
  baseCommit: null,
  headCommit: null,
  pushedCommit: null,
  deliveredCommit: null,
  line: 1,
  pullRequest: null,
  usage: noUsage,
  turns: 0,
  workedMs: 0,
  error: null,
  pausedReason: null,
  pausedBudget: null,
  runNumber: 0,
  runStartedAt: null,
  queuedReason: "start",
  recoveries: 0,
  createdAt: now,
  queuedAt: now,
  startedAt: null,
  finishedAt: null
})

/** A stored step of the agent: it proves that the task makes progress. */
const progress = { recoveries: 0 } as const

const notPaused = { pausedReason: null, pausedBudget: null } as const

/** The task after a change. Changes that are only about the conversation leave it as it is. */
export const evolve = (task: Task, change: TaskChange, now: Timestamp): Task => {
  switch (change._tag) {
    case "Created":
      return begin(change.draft, now)
    case "Queued":
      return {
        ...task,
        status: "queued",
        phase: null,
        error: null,
        ...notPaused,
        finishedAt: null,
        queuedReason: change.reason,
        queuedAt: now,
        recoveries: change.reason === "recovery" ? task.recoveries + 1 : change.reason === "retry" ? 0 : task.recoveries
      }
    case "RunStarted":
      return {
        ...task,
        status: "running",
        phase: "preparing",
        runNumber: change.run,
        runStartedAt: now,
        startedAt: task.startedAt ?? now
      }
    case "RepositoryReady":
      return { ...task, phase: "working", baseCommit: change.baseCommit }
    case "MessageAdded":
      return { ...task, ...progress, turns: change.role === "assistant" ? task.turns + 1 : task.turns }
    case "ToolFinished":
      return { ...task, ...progress }
    case "CheckpointSaved":
      return { ...task, ...progress, headCommit: change.commit }
    case "Rewound":
      return {
        ...task,
        ...progress,
        line: task.line + 1,
        headCommit: change.checkpoint,
        deliveredCommit: change.deliveredCommit
      }
    case "ResponseCounted":
      return { ...task, usage: addUsage(task.usage, change.usage) }
    case "DeliveryStarted":
      return { ...task, phase: "delivering" }
    case "BranchPushed":
      return { ...task, headCommit: change.commit, pushedCommit: change.commit, deliveredCommit: change.commit }
    case "PullRequestOpened":
      return { ...task, pullRequest: change.pullRequest }
    case "Updated":
      return { ...task, ...change.patch }
    case "Worked":
      return { ...task, workedMs: task.workedMs + change.ms }
    case "Waiting":
      return { ...task, status: "waiting" }
    case "Paused":
      return {
        ...task,
        status: "paused",
        phase: null,
        pausedReason: change.reason,
        pausedBudget: change.budget ?? null
      }
    case "Resumed":
      return { ...task, status: "running" }
    case "Completed":
      return { ...task, status: "completed", phase: null, finishedAt: now }
    case "Failed":
      return { ...task, status: "failed", phase: null, error: change.error, ...notPaused, finishedAt: now }
    case "Cancelled":
      return { ...task, status: "cancelled", phase: null, ...notPaused, finishedAt: now }
    default:
      return task
  }
}

const shortAnswer = ({ text, ...answer }: Answer): Answer =>
  text === undefined ? answer : { ...answer, text: shorten(text) }

/** What observers learn of a change to `task` (as it is after the change); null where there is nothing to tell. */
export const toEvent = (task: Task, change: TaskChange): TaskEvent | null => {
  switch (change._tag) {
    case "Created":
      return {
        type: "task.created",
        title: task.title,
        prompt: shorten(task.prompt),
        repository: task.repository
      }
    case "Queued":
      return { type: "task.queued", reason: change.reason }
    case "RunStarted":
      return { type: "run.started", run: change.run, reason: change.reason }
    case "SandboxReady":
      return { type: "sandbox.ready" }
    case "RepositoryReady":
      return { type: "repository.ready", baseCommit: change.baseCommit, branch: task.branch }
    case "MessageAdded":
      return { type: "message.added", messageId: change.messageId, role: change.role, ...fitContent(change.content) }
    case "MessageQueued":
      return {
        type: "message.queued",
        messageId: change.messageId,
        mode: change.mode,
        text: shorten(change.content)
      }
    case "MessageWithdrawn":
      return { type: "message.withdrawn", messageId: change.messageId }
    case "ToolStarted":
      return { type: "tool.started", toolCallId: change.toolCallId, tool: change.tool, ...fitInput(change.input) }
    case "ToolFinished":
      return {
        type: "tool.finished",
        toolCallId: change.toolCallId,
        isError: change.isError,
        ...(change.exitCode === null ? {} : { exitCode: change.exitCode }),
        durationMs: change.durationMs,
        output: { ...excerpt(change.output), bytes: change.bytes }
      }
    case "CheckpointSaved":
      return {
        type: "checkpoint.saved",
        commit: change.commit,
        files: change.files,
        additions: change.additions,
        deletions: change.deletions
      }
    case "Rewound":
      return { type: "task.rewound", checkpoint: change.checkpoint }
    case "ResponseCounted":
      return { type: "usage.updated", ...task.usage }
    case "QuestionOpened":
      return {
        type: "question.opened",
        questionId: change.questionId,
        revision: 1,
        kind: change.kind,
        title: change.title,
        detail: shorten(change.detail),
        choices: change.choices,
        expiresAt: change.expiresAt,
        default: change.default
      }
    case "QuestionClosed":
      return {
        type: "question.closed",
        questionId: change.questionId,
        revision: change.revision,
        outcome: change.outcome,
        answer: shortAnswer(change.answer)
      }
    case "RetryScheduled":
      return {
        type: "retry.scheduled",
        code: change.code,
        message: shorten(change.message),
        attempt: change.attempt,
        delayMs: change.delayMs
      }
    case "NetworkBlocked":
      return { type: "network.blocked", host: change.host, reason: change.reason }
    case "DeliveryStarted":
      return { type: "delivery.started" }
    case "BranchPushed":
      return { type: "branch.pushed", branch: change.branch, commit: change.commit }
    case "PullRequestOpened":
      return { type: "pull_request.opened", ...change.pullRequest }
    case "Updated":
      return { type: "task.updated", fields: Object.keys(change.patch) }
    case "Worked":
      return null
    case "Waiting":
      return { type: "task.waiting", questionId: change.questionId }
    case "Paused":
      return {
        type: "task.paused",
        reason: change.reason,
        ...(change.budget === undefined ? {} : { budget: change.budget })
      }
    case "Resumed":
      return { type: "task.resumed" }
    case "Completed":
      return { type: "task.completed" }
    case "Failed":
      return { type: "task.failed", code: change.error.code, message: shorten(change.error.message) }
    case "Cancelled":
      return { type: "task.cancelled" }
  }
}

/** Changes after which the card of a task looks different in a list. */
const cardChanges: ReadonlySet<TaskChange["_tag"]> = new Set<TaskChange["_tag"]>([
  "Created",
  "Queued",
  "RunStarted",
  "RepositoryReady",
  "QuestionOpened",
  "QuestionClosed",
  "DeliveryStarted",
  "BranchPushed",
  "PullRequestOpened",
  "Updated",
  "Waiting",
  "Paused",
  "Resumed",
  "Completed",
  "Failed",
  "Cancelled"
])

export const changesCard = (change: TaskChange): boolean => cardChanges.has(change._tag)
