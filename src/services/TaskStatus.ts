/**
 * The legal ways of a task through its life, as data.
 *
 * Owns: the statuses, the phases of a running task, and which status may follow which.
 * Does not own: when a task moves (see `TaskCommands.ts` and `agent/`).
 */
import { Schema } from "effect"

export const TaskStatus = Schema.Literal(
  "queued",
  "running",
  "waiting",
  "paused",
  "completed",
  "failed",
  "cancelled"
).annotations({ identifier: "TaskStatus" })
export type TaskStatus = typeof TaskStatus.Type

/** What a running task is doing: sandbox and clone, the agent's work, or commit and push. */
export const TaskPhase = Schema.Literal("preparing", "working", "delivering").annotations({ identifier: "TaskPhase" })
export type TaskPhase = typeof TaskPhase.Type

/** Why a run begins: `recovery` after a crash of the server, `shutdown` after an orderly stop. */
export const RunReason = Schema.Literal(
  "start",
  "recovery",
  "shutdown",
  "retry",
  "follow_up",
  "rewind",
  "answer",
  "resume"
).annotations({ identifier: "RunReason" })
export type RunReason = typeof RunReason.Type

/** A running task goes back to `queued` when its server stops: the next run takes it up from the last checkpoint. */
export const next: Record<TaskStatus, ReadonlyArray<TaskStatus>> = {
  queued: ["running", "paused", "failed", "cancelled"],
  running: ["queued", "waiting", "paused", "completed", "failed", "cancelled"],
  waiting: ["running", "queued", "paused", "failed", "cancelled"],
  paused: ["queued", "failed", "cancelled"],
  completed: ["queued"],
  failed: ["queued"],
  cancelled: ["queued"]
}

export const canTransition = (from: TaskStatus, to: TaskStatus): boolean => next[from].includes(to)

export const finals: ReadonlyArray<TaskStatus> = ["completed", "failed", "cancelled"]

/** A final task has no run; only a follow-up, a retry or a rewind makes it `queued` again. */
export const isFinal = (status: TaskStatus): boolean => finals.includes(status)
