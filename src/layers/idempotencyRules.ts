/** What every adapter of Idempotency agrees on. */
import { Duration } from "effect"

/** How long an answer is kept at least. */
export const keptFor = Duration.hours(48)

/** How often answers that are older are removed. */
export const cleanUpEvery = Duration.hours(1)
