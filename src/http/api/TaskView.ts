/**
 * A task as clients see it.
 *
 * Owns: its public shape.
 * Does not own: how it is made (`http/taskView.ts`).
 */
import { Schema } from "effect"
import { Task, Timestamp } from "../../services/Task.ts"

const { fields } = Task

export const TaskView = Schema.Struct({
  id: fields.id,
  scheduleId: fields.scheduleId,
  status: fields.status,
  phase: fields.phase,
  title: fields.title,
  prompt: fields.prompt,
  repository: fields.repository,
  branch: fields.branch,
  baseCommit: fields.baseCommit,
  headCommit: fields.headCommit,
  delivery: fields.delivery,
  pullRequest: fields.pullRequest,
  /** Paths of CI definitions that the work changes, as of its last delivery. */
  ciChanges: fields.ciChanges,
  limits: fields.limits,
  network: fields.network,
  approvals: fields.approvals,
  model: fields.model,
  priority: fields.priority,
  tags: fields.tags,
  secrets: fields.secrets,
  startAt: fields.startAt,
  expiresAt: fields.expiresAt,
  /** Tasks that start before this one; null when it is not queued. */
  position: Schema.NullOr(Schema.Int),
  usage: fields.usage,
  /** Model turns so far, over all runs. */
  turns: fields.turns,
  /** Time of work so far, over all runs. */
  workedSeconds: Schema.Number,
  error: fields.error,
  /** Why a paused task is paused. */
  pausedReason: fields.pausedReason,
  /** Which limit of money paused it, and what has to be free there before it can go on. */
  pausedBudget: fields.pausedBudget,
  /** The newest run; null before the first. */
  run: Schema.NullOr(Schema.Struct({ number: Schema.Int, startedAt: Timestamp })),
  /** Everything up to this event of the task's stream is in this answer; subscribe from here. */
  seq: Schema.Int,
  epoch: Schema.String,
  createdAt: fields.createdAt,
  queuedAt: fields.queuedAt,
  startedAt: fields.startedAt,
  finishedAt: fields.finishedAt
}).annotations({ identifier: "Task" })
export interface TaskView extends Schema.Schema.Type<typeof TaskView> {}
