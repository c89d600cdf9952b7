/**
 * What is due of a schedule, and what its catch-up policy makes of it.
 *
 * Owns: bounds on how far back a schedule looks; which slots are run.
 * Does not own: running one (`settleSlot.ts`).
 */
import { DateTime, Effect } from "effect"
import { mostCaughtUp, type Schedule } from "../../services/Schedules.ts"
import { nextSlot, type Slots } from "../../services/slots.ts"
import type { Timestamp } from "../../services/Task.ts"

/** A slot that is due, and why it is not run; null when it is. `through` as in a `ScheduleRun`. */
export interface DueSlot {
  readonly slot: Timestamp
  readonly through: Timestamp | null
  /** The slot after it. */
  readonly next: Timestamp
  readonly missed: { readonly reason: "server_down" | "late"; readonly detail: string } | null
}

export interface Moment {
  readonly now: Timestamp
  /** When this life of the server began. */
  readonly startedAt: Timestamp
}

/** A slot that is later than this by less was not missed. */
const punctualMs = 60_000
/** Slots that were due longer ago are not looked at one by one: 45,000 of them take two seconds. */
const lookBackMs = 31 * 24 * 3600 * 1000
/** Looking costs 50 µs a slot: others get their turn in between. */
const slotsPerTurn = 50

const before = (moment: Timestamp, ms: number): Timestamp =>
  DateTime.formatIso(DateTime.unsafeMake(Date.parse(moment) - ms))

interface Found {
  /** The newest, in order. */
  readonly slots: ReadonlyArray<Timestamp>
  /** The last of the older ones, which nobody looks at. */
  readonly passedOver: Timestamp | null
  readonly next: Timestamp
}

const find = Effect.fnUntraced(function* (slots: Slots, first: Timestamp, now: Timestamp) {
  const horizon = before(now, lookBackMs)
  const newest: Array<Timestamp> = []
  let passedOver = first < horizon ? horizon : null
  let slot = passedOver === null ? first : nextSlot(slots, horizon)
  for (let seen = 1; slot <= now; seen++) {
    newest.push(slot)
    if (newest.length > mostCaughtUp) passedOver = newest.shift() ?? passedOver
    slot = nextSlot(slots, slot)
    if (seen % slotsPerTurn === 0) yield* Effect.yieldNow({ priority: 1 })
  }
  const found: Found = { slots: newest, passedOver, next: slot }
  return found
})

const detailOf = {
  server_down: "The server was not running then.",
  late: "The server came to it late: it was asleep, its disk was full, or its clock was set forward."
}

/** What is due of an enabled schedule, in order: at most one record of many old slots, and then the newest hundred. */
export const dueSlots = Effect.fnUntraced(function* (schedule: Schedule, slots: Slots, { now, startedAt }: Moment) {
  const first = schedule.nextRunAt
  if (first === null || first > now) return []
  const found = yield* find(slots, first, now)
  const window = before(now, schedule.catchUpWindowSeconds * 1000)
  const punctual = before(now, punctualMs)

  const missed = (slot: Timestamp, why: string): NonNullable<DueSlot["missed"]> => {
    const reason = slot < startedAt ? "server_down" : "late"
    return { reason, detail: `${detailOf[reason]} ${why}` }
  }
  const judge = (slot: Timestamp, isNewest: boolean): DueSlot["missed"] => {
    if (slot > punctual) return null
    if (schedule.catchUp === "none") return missed(slot, "The schedule does not catch up.")
    if (slot < window) return missed(slot, "It was too long ago to be caught up.")
    return schedule.catchUp === "all" || isNewest ? null : missed(slot, "The schedule catches up with the newest only.")
  }

  const judged = found.slots.map((slot, index): DueSlot => ({
    slot,
    through: null,
    next: found.slots[index + 1] ?? found.next,
    missed: judge(slot, index === found.slots.length - 1)
  }))
  if (found.passedOver === null) return judged
  const old: DueSlot = {
    slot: first,
    through: found.passedOver,
    next: judged[0]?.slot ?? found.next,
    missed: missed(first, "Too many slots were missed to be looked at one by one.")
  }
  return [old, ...judged]
})
