/**
 * Changes: the words in which the server writes about a task.
 *
 * A change is an event plus what only the server needs to store with it (whole messages, whole outputs, costs).
 *
 * Owns: the shapes of changes.
 * Does not own: what a change does to the task (`evolve.ts`), what observers see of it (`toEvent.ts`), which one is right
 * at a moment (`TaskCommands.ts`, `agent/`), storage (`TaskRepo.ts`).
 */
import { Data } from "effect"
import type { CommitId, MessageId, QuestionId, ToolCallId } from "./Ids.ts"
import type { ContentBlock, PendingMode, Role } from "./Message.ts"
import type { PausedBudget, PullRequest, Task, TaskDraft, TaskError, Timestamp, Usage } from "./Task.ts"
import type { Answer, QuestionKind } from "./TaskEvent.ts"
import type { RunReason } from "./TaskStatus.ts"

export type TaskChange = Data.TaggedEnum<{
  Created: { readonly draft: TaskDraft }
  /** `notBefore`: there is nothing to do for it earlier. */
  Queued: { readonly reason: RunReason; readonly notBefore?: Timestamp }
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
    /** The checkpoint whose push waits for the answer. */
    readonly commit?: CommitId
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
  /** The work changes other CI definitions than was known before, or none any more. */
  CiChanged: { readonly paths: ReadonlyArray<string> }
  BranchPushed: { readonly branch: string; readonly commit: CommitId }
  PullRequestOpened: { readonly pullRequest: PullRequest }
  /** What the forge says of it has changed. */
  PullRequestChanged: { readonly pullRequest: PullRequest }
  /** What the owner changed by hand; never a status. */
  Updated: { readonly patch: Partial<Pick<Task, "title" | "tags" | "priority" | "limits" | "network">> }
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

/** The change of one name. */
export type ChangeOf<Tag extends TaskChange["_tag"]> = Extract<TaskChange, { readonly _tag: Tag }>
