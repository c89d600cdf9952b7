/**
 * What observers see of a change: its event, and whether the card of the task looks different. Pure, so that every
 * TaskRepo agrees on it.
 */
import { excerpt, fitContent, fitInput, shorten } from "./excerpts.ts"
import type { Task } from "./Task.ts"
import type { TaskChange } from "./TaskChange.ts"
import type { Answer, TaskEvent } from "./TaskEvent.ts"

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
    case "CiChanged":
      return { type: "ci.changed", paths: change.paths }
    case "BranchPushed":
      return {
        type: "branch.pushed",
        branch: change.branch,
        commit: change.commit,
        ...(task.ciChanges.length === 0 ? {} : { ciChanges: task.ciChanges })
      }
    case "PullRequestOpened":
      return { type: "pull_request.opened", url: change.pullRequest.url, number: change.pullRequest.number }
    case "PullRequestChanged":
      return { type: "pull_request.updated", ...change.pullRequest }
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
  "PullRequestChanged",
  "Updated",
  "Waiting",
  "Paused",
  "Resumed",
  "Completed",
  "Failed",
  "Cancelled"
])

export const changesCard = (change: TaskChange): boolean => cardChanges.has(change._tag)
