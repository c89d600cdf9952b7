/**
 * Tasks that may be what breaks the server down.
 *
 * A task that was put back twice in a row without a step done in between may have caused it, or may only have been there
 * when something else did. So it waits until nothing has broken down for a while, and then it is the only one of its
 * kind that runs: what breaks down before its first step does so because of it. A server that is killed again and again
 * by something else holds such tasks up, and fails none.
 */
import { Duration } from "effect"
import type { Timestamp } from "../../services/Task.ts"
import type { QueuedTask } from "./queueOrder.ts"

/** So many recoveries in a row may end without a step done. */
export const mostRecoveries = 2

/** How long nothing may have broken down before a suspect is tried. */
const calmTime = Duration.seconds(15)
/** How often it is asked whether the suspect that runs has done its first step. */
const trialCheck = Duration.seconds(2)

/** One with more recoveries has had its trial. */
export const isSuspect = ({ queuedReason, recoveries }: QueuedTask): boolean =>
  queuedReason === "recovery" && recoveries === mostRecoveries

/** The last time when something broke down, that of `known` or that of a task put back since. */
export const lastBreakdown = (known: Timestamp, queued: ReadonlyArray<QueuedTask>): Timestamp =>
  queued.reduce(
    (last, { queuedAt, queuedReason }) => (queuedReason === "recovery" && queuedAt > last ? queuedAt : last),
    known
  )

/** How long suspects have to wait: not at all when nothing broke down for a while and no other one is on trial. */
export const timeUntilTrial = (breakdown: Timestamp, at: Timestamp, isOneOnTrial: boolean): Duration.Duration => {
  const calmFor = Duration.millis(Math.max(0, Date.parse(at) - Date.parse(breakdown)))
  const left = Duration.subtract(calmTime, calmFor)
  return Duration.max(left, isOneOnTrial ? trialCheck : Duration.zero)
}
