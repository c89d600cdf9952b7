/**
 * Tasks that come again and again.
 *
 * Owns: schedules of users, which of them is due, and what became of each slot.
 * Does not own: when a slot is (`slots.ts`), what happens at one (`layers/SchedulerFiber.ts`), the tasks (`TaskRepo.ts`).
 */
import { Context, type Effect, type Option, Schema } from "effect"
import { ScheduleId, TaskId, UserId } from "./Ids.ts"
import { TaskTemplate } from "./NewTask.ts"
import type { SlotsRefused } from "./slots.ts"
import { Timestamp } from "./Task.ts"
import type { Page, PageRequest } from "./TaskRepo.ts"
import type { StorageFull } from "./Transaction.ts"

/** What happens at a slot while a task of the schedule has not ended: no task, one beside it, or one in its place. */
export const Overlap = Schema.Literal("skip", "allow", "replace").annotations({ identifier: "Overlap" })
export type Overlap = typeof Overlap.Type

/** Which of the slots that were missed are run late: none, the newest, or all. */
export const CatchUp = Schema.Literal("none", "one", "all").annotations({ identifier: "CatchUp" })
export type CatchUp = typeof CatchUp.Type

export const mostSchedules = 100
export const mostCaughtUp = 100
export const runsKept = 1000

export const Schedule = Schema.Struct({
  id: ScheduleId,
  owner: UserId,
  title: Schema.String,
  /** Five fields, on the wall clock of `timeZone` (an IANA name). */
  cron: Schema.String,
  timeZone: Schema.String,
  task: TaskTemplate,
  overlap: Overlap,
  catchUp: CatchUp,
  /** A slot that was missed is run late by this much at most. */
  catchUpWindowSeconds: Schema.Int,
  enabled: Schema.Boolean,
  /** The next slot that nothing has become of yet; null while it is not enabled. */
  nextRunAt: Schema.NullOr(Timestamp),
  createdAt: Timestamp,
  updatedAt: Timestamp
}).annotations({ identifier: "ScheduleRecord" })
export interface Schedule extends Schema.Schema.Type<typeof Schedule> {}

export type SchedulePatch = Partial<
  Pick<Schedule, "title" | "cron" | "timeZone" | "task" | "overlap" | "catchUp" | "catchUpWindowSeconds" | "enabled">
>
export type ScheduleDraft = Required<SchedulePatch> & Pick<Schedule, "id" | "owner">

/** What became of a slot. */
export const ScheduleRun = Schema.Struct({
  slot: Timestamp,
  /** The record stands for every slot up to this moment; null where it stands for one. */
  through: Schema.NullOr(Timestamp),
  status: Schema.Literal("started", "skipped", "missed", "failed"),
  /** Why no task was started: a stable code, and a sentence for people. */
  reason: Schema.NullOr(Schema.String),
  detail: Schema.NullOr(Schema.String),
  /** The task that was started. */
  taskId: Schema.NullOr(TaskId),
  /** With the reason `overlap`: the task that had not ended. */
  blockedBy: Schema.NullOr(TaskId),
  recordedAt: Timestamp
}).annotations({ identifier: "ScheduleRun" })
export interface ScheduleRun extends Schema.Schema.Type<typeof ScheduleRun> {}

export class ScheduleNotFound extends Schema.TaggedError<ScheduleNotFound>()("ScheduleNotFound", { id: ScheduleId }) {
  override get message() {
    return `There is no schedule ${this.id}.`
  }
}

export class TooManySchedules extends Schema.TaggedError<TooManySchedules>()("TooManySchedules", {}) {
  override get message() {
    return `A user may have ${mostSchedules} schedules. Delete one that is not needed any more.`
  }
}

export class Schedules extends Context.Tag("errand/services/Schedules")<
  Schedules,
  {
    readonly create: (draft: ScheduleDraft) => Effect.Effect<Schedule, SlotsRefused | TooManySchedules | StorageFull>
    /** Another owner's schedule is not found; for the other methods alike. */
    readonly get: (owner: UserId, id: ScheduleId) => Effect.Effect<Schedule, ScheduleNotFound>
    /** Newest first. */
    readonly list: (owner: UserId, page: PageRequest) => Effect.Effect<Page<Schedule>>
    /** Other times count from now on; a slot that something has become of never comes again. */
    readonly update: (
      owner: UserId,
      id: ScheduleId,
      patch: SchedulePatch
    ) => Effect.Effect<Schedule, ScheduleNotFound | SlotsRefused | StorageFull>
    /** Its tasks stay. */
    readonly remove: (owner: UserId, id: ScheduleId) => Effect.Effect<void, ScheduleNotFound | StorageFull>
    /** What became of its slots, newest first; the last thousand are kept. */
    readonly runs: (id: ScheduleId, page: PageRequest) => Effect.Effect<Page<ScheduleRun>>
    readonly lastRun: (id: ScheduleId) => Effect.Effect<Option.Option<ScheduleRun>>

    /** Waits until a schedule is due, and gives those that are, the longest due first; at most a hundred. */
    readonly due: Effect.Effect<ReadonlyArray<Schedule>>
    /**
     * Settles what is due of a schedule, up to `next`: what `outcome` writes, its record and the next slot are one
     * transaction. None, and nothing is done, when the schedule is not any more as it was given.
     */
    readonly settle: <E, R>(
      schedule: Schedule,
      next: Timestamp,
      outcome: Effect.Effect<ScheduleRun, E, R>
    ) => Effect.Effect<Option.Option<ScheduleRun>, E | StorageFull, R>
  }
>() {}
