/**
 * When a schedule is due: cron on the wall clock of a time zone, to the minute.
 *
 * What the wall clock leaves out in spring is due as much later as it jumps. What it shows twice in autumn is due the
 * first time only, unless every hour matches: then the repeated one counts too, and the pace stays even.
 */
import { Cron, DateTime, Either, Option, Schema } from "effect"
import type { Timestamp } from "./Task.ts"

/** No slot can be told from these words; `path` says which of them. */
export class SlotsRefused extends Schema.TaggedError<SlotsRefused>()("SlotsRefused", {
  path: Schema.Literal("cron", "timeZone"),
  fault: Schema.String
}) {
  override get message() {
    return `${this.path} ${this.fault}.`
  }
}

/** An expression with its time zone. */
export interface Slots {
  readonly cron: Cron.Cron
  readonly zone: DateTime.TimeZone.Named
}

const minute = 60_000
/** No zone sets its clocks by more. */
const longestChange = 180 * minute

const refuse = (path: SlotsRefused["path"], fault: string) => Either.left(new SlotsRefused({ path, fault }))

/** Names only: an offset as `+02:00` knows no summer. */
const zoneOf = (name: string): Option.Option<DateTime.TimeZone.Named> =>
  /^[A-Za-z][\w+/-]{0,63}$/.test(name) ? DateTime.zoneMakeNamed(name) : Option.none()

const monthLengths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** As the 30th of February; the search for its next time would end after 10,000 steps. */
const neverComes = ({ days, months, weekdays }: Cron.Cron): boolean => {
  if (days.size === 0 || weekdays.size > 0) return false
  const first = Math.min(...days)
  return monthLengths.every((length, index) => (months.size > 0 && !months.has(index + 1)) || length < first)
}

/** Five fields, as cron has them: minute, hour, day of the month, month, day of the week. */
export const parseSlots = (expression: string, timeZone: string): Either.Either<Slots, SlotsRefused> => {
  const zone = zoneOf(timeZone)
  if (Option.isNone(zone)) return refuse("timeZone", `must be an IANA time zone, as "Europe/Berlin" or "UTC"`)
  const fields = expression.trim().split(/\s+/)
  if (fields.length !== 5) return refuse("cron", `must have five fields, as "30 6 * * mon-fri" for 6:30 on weekdays`)
  return Either.match(Cron.parse(expression, zone.value), {
    onLeft: () => refuse("cron", "must be a cron expression: numbers, names, lists, ranges and steps, in their bounds"),
    onRight: (cron) =>
      neverComes(cron) ? refuse("cron", "must name a day that comes") : Either.right({ cron, zone: zone.value })
  })
}

const write = (moment: number): Timestamp => DateTime.formatIso(DateTime.unsafeMake(moment))

const offsetAt = (zone: DateTime.TimeZone, moment: number): number =>
  DateTime.zonedOffset(DateTime.unsafeMakeZoned(moment, { timeZone: zone }))

/**
 * The first time later than `after`, as the wall shows it. `Cron.next` gives a time that is left out only when it is asked
 * before the gap, and goes back to the first time when it is asked in an hour that is repeated: near a change of the
 * clocks it is asked from before, and again until it has got past `after`.
 */
const nextOnTheWall = ({ cron, zone }: Slots, after: number): number => {
  const before = after - longestChange
  let from = offsetAt(zone, before) === offsetAt(zone, after) ? after : before
  let found = Cron.next(cron, from).getTime()
  while (found <= after) {
    from = Math.max(found, from + minute)
    found = Cron.next(cron, from).getTime()
  }
  return found
}

const matchesEveryHour = ({ hours }: Cron.Cron): boolean => hours.size === 0 || hours.size === 24

/** The first slot later than this moment. */
export const nextSlot = (slots: Slots, after: Timestamp): Timestamp => {
  const { cron, zone } = slots
  const start = Date.parse(after)
  const found = nextOnTheWall(slots, start)
  if (!matchesEveryHour(cron) || offsetAt(zone, found - longestChange) <= offsetAt(zone, found)) return write(found)
  const from = Math.max(Math.floor(start / minute) * minute + minute, found - longestChange)
  for (let moment = from; moment < found; moment += minute) {
    if (Cron.match(cron, moment)) return write(moment)
  }
  return write(found)
}

/** The next slots, in order. */
export const nextSlots = (slots: Slots, after: Timestamp, count: number): ReadonlyArray<Timestamp> => {
  const found: Array<Timestamp> = []
  for (let slot = after; found.length < count; found.push(slot)) slot = nextSlot(slots, slot)
  return found
}
