/**
 * Trying again what fails for reasons that pass.
 */
import { Duration, Effect, Random, Schedule } from "effect"
import { TaskChange } from "../services/TaskChange.ts"
import type { TaskRun } from "./TaskRun.ts"

interface Policy<E> {
  readonly helpsWith: (error: E) => boolean
  readonly most: number
  readonly firstDelayMs: number
  readonly longestDelayMs: number
  /** What observers are told of each attempt that failed. */
  readonly code: (error: E) => string
  /** Milliseconds, where the other side says how long it wants to be left alone. */
  readonly asksToWait?: (error: E) => number | null
}

/** Each delay is twice the one before, with jitter, unless the other side has asked for another; observers are told. */
export const retries = <E extends { readonly message: string }>(
  run: TaskRun,
  { asksToWait = () => null, code, firstDelayMs, helpsWith, longestDelayMs, most }: Policy<E>
) =>
  Schedule.identity<E>().pipe(
    Schedule.intersect(Schedule.recurs(most)),
    Schedule.whileInput(helpsWith),
    Schedule.modifyDelayEffect(([error, attempt]) =>
      Effect.gen(function* () {
        const jitter = yield* Random.nextRange(0.5, 1)
        const backOffMs = Math.min(longestDelayMs, firstDelayMs * 2 ** attempt) * jitter
        const delayMs = Math.round(asksToWait(error) ?? backOffMs)
        const retry = { code: code(error), message: error.message, attempt: attempt + 1, delayMs }
        yield* Effect.ignore(run.record([TaskChange.RetryScheduled(retry)]))
        return Duration.millis(delayMs)
      })
    )
  )
