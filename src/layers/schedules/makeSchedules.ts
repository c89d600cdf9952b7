/**
 * Schedules over any store.
 *
 * Whoever waits for a schedule looks, then sleeps until somebody changes one or until the next is due, then looks again.
 */
import { Deferred, Duration, Effect, Option, Ref } from "effect"
import type { ScheduleId, UserId } from "../../services/Ids.ts"
import {
  mostSchedules,
  type Schedule,
  type ScheduleDraft,
  ScheduleNotFound,
  type SchedulePatch,
  type ScheduleRun,
  Schedules,
  TooManySchedules
} from "../../services/Schedules.ts"
import { nextSlot, parseSlots } from "../../services/slots.ts"
import type { Timestamp } from "../../services/Task.ts"
import { Transaction } from "../../services/Transaction.ts"
import { now } from "../timestamp.ts"
import type { ScheduleStore, StoredSchedule } from "./ScheduleStore.ts"

/** Bounds what a wake-up that was lost, or a clock that was set, can cost. */
const longestSleep = Duration.seconds(30)
const mostAtOnce = 100

const latest = (a: Timestamp, b: Timestamp | null): Timestamp => (b !== null && b > a ? b : a)

/** The schedule with its next slot after `at`, which is none that is settled. */
const timed = Effect.fnUntraced(function* (schedule: Schedule, settledAt: Timestamp | null, at: Timestamp) {
  const slots = yield* parseSlots(schedule.cron, schedule.timeZone)
  return { ...schedule, nextRunAt: schedule.enabled ? nextSlot(slots, latest(at, settledAt)) : null }
})

const changesTimes = (before: Schedule, after: Schedule): boolean =>
  before.cron !== after.cron || before.timeZone !== after.timeZone || before.enabled !== after.enabled

/** Nobody has changed it, and no slot of it was settled, since it was read. */
const isCurrent = (schedule: Schedule) => (stored: StoredSchedule) =>
  stored.schedule.nextRunAt === schedule.nextRunAt && stored.schedule.updatedAt === schedule.updatedAt

export const makeSchedules = Effect.fnUntraced(function* (store: ScheduleStore) {
  const transaction = yield* Transaction
  const signal = yield* Ref.make(yield* Deferred.make<void>())

  const wake = Deferred.make<void>().pipe(
    Effect.flatMap((next) => Ref.getAndSet(signal, next)),
    Effect.flatMap((current) => Deferred.succeed(current, undefined)),
    Effect.asVoid
  )
  const changed = transaction.afterCommit(wake)

  const owned = Effect.fnUntraced(function* (owner: UserId, id: ScheduleId) {
    const found = Option.filter(yield* store.load(id), ({ schedule }) => schedule.owner === owner)
    return yield* Option.match(found, { onNone: () => new ScheduleNotFound({ id }), onSome: Effect.succeed })
  })

  const create = Effect.fn("Schedules.create")(function* (draft: ScheduleDraft) {
    if ((yield* store.count(draft.owner)) >= mostSchedules) return yield* new TooManySchedules()
    const at = yield* now
    const schedule = yield* timed({ ...draft, nextRunAt: null, createdAt: at, updatedAt: at }, null, at)
    yield* store.insert({ schedule, settledAt: null })
    yield* changed
    return schedule
  }, transaction.run)

  const update = Effect.fn("Schedules.update")(function* (owner: UserId, id: ScheduleId, patch: SchedulePatch) {
    const { schedule: before, settledAt } = yield* owned(owner, id)
    const at = yield* now
    const after = { ...before, ...patch, updatedAt: at }
    const schedule = changesTimes(before, after) ? yield* timed(after, settledAt, at) : after
    yield* store.replace({ schedule, settledAt })
    yield* changed
    return schedule
  }, transaction.run)

  const remove = Effect.fn("Schedules.remove")(function* (owner: UserId, id: ScheduleId) {
    yield* owned(owner, id)
    yield* store.erase(id)
  }, transaction.run)

  const due: Effect.Effect<ReadonlyArray<Schedule>> = Effect.gen(function* () {
    while (true) {
      const change = yield* Ref.get(signal)
      const at = yield* now
      const found = yield* store.due(at, mostAtOnce)
      if (found.length > 0) return found
      const left = Option.map(yield* store.earliest, (next) => Duration.millis(Date.parse(next) - Date.parse(at)))
      const pause = Duration.min(
        longestSleep,
        Option.getOrElse(left, () => longestSleep)
      )
      yield* Effect.raceFirst(Deferred.await(change), Effect.sleep(pause))
    }
  })

  const settle = <E, R>(schedule: Schedule, next: Timestamp, outcome: Effect.Effect<ScheduleRun, E, R>) =>
    Effect.gen(function* () {
      const current = Option.filter(yield* store.load(schedule.id), isCurrent(schedule))
      if (Option.isNone(current)) return Option.none()
      const run = yield* outcome
      yield* store.replace({
        schedule: { ...current.value.schedule, nextRunAt: next },
        settledAt: run.through ?? run.slot
      })
      yield* store.record(schedule.id, run)
      return Option.some(run)
    }).pipe(transaction.run, Effect.withSpan("Schedules.settle"))

  return Schedules.of({
    create,
    update,
    remove,
    due,
    settle,
    get: Effect.fn("Schedules.get")((owner, id) => Effect.map(owned(owner, id), ({ schedule }) => schedule)),
    list: store.list,
    runs: store.runs,
    lastRun: (id) =>
      Effect.map(store.runs(id, { limit: 1, cursor: Option.none() }), ({ items }) => Option.fromNullable(items[0]))
  })
})
