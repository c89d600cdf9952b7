/**
 * The ways in which a run ends other than with the work done.
 */
import { Schema } from "effect"
import { Limits, PausedBudget, Timestamp } from "../services/Task.ts"

/** The task can't be done like this: it becomes `failed` with this code. */
export class TaskFailed extends Schema.TaggedError<TaskFailed>()("TaskFailed", {
  code: Schema.String,
  message: Schema.String
}) {}

/** A limit, a missing sign-in or a full disk: the work is saved, and goes on when somebody lifts it. */
export class TaskPaused extends Schema.TaggedError<TaskPaused>()("TaskPaused", {
  reason: Schema.String,
  /** With the reason `budget_reached`. */
  budget: Schema.optionalWith(PausedBudget, { exact: true }),
  /** Where one of the task's own limits is the reason: all of them, as they were when it was reached. */
  limits: Schema.optionalWith(Limits, { exact: true })
}) {}

/** There is nothing to do before this moment: the run gives its sandbox and slot back, and the queue starts another. */
export class TaskDeferred extends Schema.TaggedError<TaskDeferred>()("TaskDeferred", { until: Timestamp }) {}

/** Nobody answered for a while: the run gives its sandbox and slot back, the answer starts another. */
export class TaskParked extends Schema.TaggedError<TaskParked>()("TaskParked", {}) {}
