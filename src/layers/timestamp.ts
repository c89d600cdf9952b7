/** Moments as the database and the API write them. */
import { DateTime, type Duration, Effect } from "effect"
import { Timestamp } from "../services/Task.ts"

const write = (moment: DateTime.DateTime): Timestamp => Timestamp.make(DateTime.formatIso(moment))

export const now: Effect.Effect<Timestamp> = Effect.map(DateTime.now, write)

export const ago = (duration: Duration.DurationInput): Effect.Effect<Timestamp> =>
  Effect.map(DateTime.now, (moment) => write(DateTime.subtractDuration(moment, duration)))

export const fromNow = (duration: Duration.DurationInput): Effect.Effect<Timestamp> =>
  Effect.map(DateTime.now, (moment) => write(DateTime.addDuration(moment, duration)))
