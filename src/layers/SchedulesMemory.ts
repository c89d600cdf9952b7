/** Schedules in memory, for tests and the demo: gone with the process. */
import { Effect, HashMap, Layer, Option } from "effect"
import type { ScheduleId } from "../services/Ids.ts"
import { type Schedule, type ScheduleRun, runsKept, Schedules } from "../services/Schedules.ts"
import { MemoryState, type Slice } from "./memory/MemoryState.ts"
import { makeSchedules } from "./schedules/makeSchedules.ts"
import type { ScheduleStore, StoredSchedule } from "./schedules/ScheduleStore.ts"
import { keyOf, toPage } from "./tasks/pages.ts"

interface Entry extends StoredSchedule {
  /** Newest first. */
  readonly runs: ReadonlyArray<ScheduleRun>
}

type Entries = HashMap.HashMap<ScheduleId, Entry>

const placeOf = ({ createdAt, id }: Schedule): string => `${createdAt} ${id}`

const scheduleStore = (entries: Slice<Entries>): ScheduleStore => {
  const where = (predicate: (schedule: Schedule) => boolean) =>
    Effect.map(entries.get, (all) =>
      HashMap.toValues(all)
        .map(({ schedule }) => schedule)
        .filter(predicate)
    )
  const waiting = Effect.map(
    where(({ nextRunAt }) => nextRunAt !== null),
    (schedules) => schedules.toSorted((a, b) => ((a.nextRunAt ?? "") < (b.nextRunAt ?? "") ? -1 : 1))
  )

  return {
    count: (owner) =>
      Effect.map(
        where((schedule) => schedule.owner === owner),
        ({ length }) => length
      ),
    load: (id) => Effect.map(entries.get, HashMap.get(id)),
    list: (owner, page) => {
      const before = Option.getOrElse(keyOf(page), () => "9999")
      return Effect.map(
        where((schedule) => schedule.owner === owner && placeOf(schedule) < before),
        (schedules) =>
          toPage(
            schedules.toSorted((a, b) => (placeOf(a) < placeOf(b) ? 1 : -1)),
            page,
            placeOf,
            (schedule) => schedule
          )
      )
    },
    insert: ({ schedule, settledAt }) => {
      const entry: Entry = { schedule, settledAt, runs: [] }
      return entries.update(HashMap.set(schedule.id, entry))
    },
    replace: ({ schedule, settledAt }) =>
      entries.update(HashMap.modify(schedule.id, (entry) => ({ ...entry, schedule, settledAt }))),
    erase: (id) => entries.update(HashMap.remove(id)),
    due: (at, limit) =>
      Effect.map(waiting, (schedules) => schedules.filter(({ nextRunAt }) => (nextRunAt ?? at) <= at).slice(0, limit)),
    earliest: Effect.map(waiting, (schedules) => Option.fromNullable(schedules[0]?.nextRunAt)),
    record: (id, run) =>
      entries.update(HashMap.modify(id, (entry) => ({ ...entry, runs: [run, ...entry.runs].slice(0, runsKept) }))),
    runs: (id, page) => {
      const before = Option.getOrElse(keyOf(page), () => "9999")
      return Effect.map(entries.get, (all) => {
        const runs = Option.match(HashMap.get(all, id), { onNone: () => [], onSome: (entry) => entry.runs })
        return toPage(
          runs.filter(({ slot }) => slot < before),
          page,
          ({ slot }) => slot,
          (run) => run
        )
      })
    }
  }
}

export const layer = Layer.effect(
  Schedules,
  Effect.gen(function* () {
    const state = yield* MemoryState
    return yield* makeSchedules(scheduleStore(yield* state.slice<Entries>(HashMap.empty())))
  })
)
