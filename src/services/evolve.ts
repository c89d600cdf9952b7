/**
 * What a change does to a task: pure, so that every TaskRepo agrees on it.
 */
import { addUsage, noUsage, type Task, type TaskDraft, type Timestamp } from "./Task.ts"
import type { ChangeOf, TaskChange } from "./TaskChange.ts"
import { canTransition, type TaskStatus } from "./TaskStatus.ts"

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
  ciChanges: [],
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

/** What a step of the agent has brought is stored: it proves that the task makes progress. */
const progress = { recoveries: 0 } as const

/**
 * Whether a message is progress by itself. An answer that calls tools is not before one of them has come to its end, and
 * neither is what the user's side says: a task that breaks the server down with each call would look as if it went on.
 */
const isProgress = ({ content, role }: ChangeOf<"MessageAdded">): boolean =>
  role === "assistant" && content.every(({ type }) => type !== "tool_use")

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
        startAt: change.notBefore ?? task.startAt,
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
      return {
        ...task,
        ...(isProgress(change) ? progress : {}),
        turns: change.role === "assistant" ? task.turns + 1 : task.turns
      }
    case "ToolFinished":
      return { ...task, ...progress }
    case "CheckpointSaved":
      return { ...task, ...progress, headCommit: change.commit }
    case "Rewound":
      return {
        ...task,
        ...progress,
        line: task.line + 1,
        ciChanges: [],
        headCommit: change.checkpoint,
        deliveredCommit: change.deliveredCommit
      }
    case "ResponseCounted":
      return { ...task, usage: addUsage(task.usage, change.usage) }
    case "DeliveryStarted":
      return { ...task, phase: "delivering" }
    case "CiChanged":
      return { ...task, ciChanges: change.paths }
    case "BranchPushed":
      return { ...task, headCommit: change.commit, pushedCommit: change.commit, deliveredCommit: change.commit }
    case "PullRequestOpened":
    case "PullRequestChanged":
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
