/** Where schedules are kept: the one part in which the adapters of Schedules differ. */
import type { Effect, Option } from "effect"
import type { ScheduleId, UserId } from "../../services/Ids.ts"
import type { Schedule, ScheduleRun } from "../../services/Schedules.ts"
import type { Timestamp } from "../../services/Task.ts"
import type { Page, PageRequest } from "../../services/TaskRepo.ts"

export interface StoredSchedule {
  readonly schedule: Schedule
  /** Something has become of every slot up to here: none of them comes again, whatever the clock or the owner does. */
  readonly settledAt: Timestamp | null
}

/** What writes is called in a transaction. */
export interface ScheduleStore {
  readonly count: (owner: UserId) => Effect.Effect<number>
  readonly load: (id: ScheduleId) => Effect.Effect<Option.Option<StoredSchedule>>
  /** Newest first. */
  readonly list: (owner: UserId, page: PageRequest) => Effect.Effect<Page<Schedule>>
  readonly insert: (stored: StoredSchedule) => Effect.Effect<void>
  readonly replace: (stored: StoredSchedule) => Effect.Effect<void>
  /** With its runs. */
  readonly erase: (id: ScheduleId) => Effect.Effect<void>
  /** Those whose next slot is not later than this moment, the longest due first. */
  readonly due: (at: Timestamp, limit: number) => Effect.Effect<ReadonlyArray<Schedule>>
  readonly earliest: Effect.Effect<Option.Option<Timestamp>>
  /** Adds a run, and forgets all but the newest. */
  readonly record: (id: ScheduleId, run: ScheduleRun) => Effect.Effect<void>
  /** Newest first. */
  readonly runs: (id: ScheduleId, page: PageRequest) => Effect.Effect<Page<ScheduleRun>>
}
