/**
 * Spans on their way to a collector.
 *
 * Owns: what waits, bounded whatever the collector does; when it is sent, and what is said when that fails.
 * Does not own: one request (`sendSpans.ts`).
 */
import { Duration, Effect, Queue, type Scope } from "effect"
import type { EncodedSpan, Export } from "./OtlpSpan.ts"
import type { Delivery } from "./sendSpans.ts"

/** Some 4 MB at most. */
const capacity = 4096
const batchSize = 512
const interval = Duration.seconds(1)
const longestPause = Duration.seconds(60)
/** How long the end of the server is held up for the last of them. */
const farewell = Duration.seconds(2)

/** Sends what it is given within a second or so, and the rest when the scope closes. What finds no room is dropped. */
export const make = Effect.fnUntraced(function* (
  send: (spans: ReadonlyArray<EncodedSpan>) => Effect.Effect<Delivery>
): Effect.fn.Return<Export, never, Scope.Scope> {
  const waiting: Array<EncodedSpan> = []
  const full = yield* Queue.sliding<void>(1)
  let dropped = 0
  /** Said once, until it is over. */
  let trouble: string | undefined
  let failures = 0

  const tell = (problem: string) => {
    if (trouble !== undefined) return Effect.void
    trouble = problem
    return Effect.logWarning(
      `Traces can't be delivered: ${problem}. Up to ${capacity} spans are kept, others are dropped; tasks go on.`
    )
  }

  const tellEnd = Effect.suspend(() => {
    if (trouble === undefined) return Effect.void
    trouble = undefined
    const lost = dropped
    dropped = 0
    return Effect.logInfo(`Traces are delivered again. ${lost} spans were dropped.`)
  })

  const sendBatch = Effect.gen(function* () {
    const batch = waiting.slice(0, batchSize)
    const delivery = yield* send(batch)
    if (delivery._tag === "Later") return delivery
    waiting.splice(0, batch.length)
    if (delivery.refused > 0) {
      dropped += delivery.refused
      yield* tell(delivery.problem)
    } else if (waiting.length < capacity) yield* tellEnd
    return delivery
  })

  /** What waits now, and not what comes meanwhile: that would be a request for each span. Gives the time to the next look. */
  const sendAll = Effect.gen(function* () {
    for (let left = waiting.length; left > 0; left -= batchSize) {
      const delivery = yield* sendBatch
      if (delivery._tag === "Later") {
        yield* tell(delivery.problem)
        const backoff = Duration.times(interval, 2 ** Math.min(++failures, 6))
        return Duration.min(longestPause, Duration.max(backoff, delivery.after))
      }
      failures = 0
    }
    return interval
  })

  /** One at a time: a request that is cut off may have arrived, and would be sent again. */
  const sending = Effect.unsafeMakeSemaphore(1).withPermits(1)(sendAll)

  yield* Effect.flatMap(sending, (pause) =>
    failures > 0 ? Effect.sleep(pause) : Effect.timeoutOption(Queue.take(full), pause)
  ).pipe(Effect.forever, Effect.forkScoped)
  yield* Effect.addFinalizer(() =>
    sending.pipe(
      Effect.interruptible,
      Effect.timeoutOption(farewell),
      Effect.zipRight(
        Effect.suspend(() =>
          waiting.length === 0 ? Effect.void : Effect.logWarning(`${waiting.length} spans were not delivered.`)
        )
      )
    )
  )

  return (span) => {
    if (waiting.length >= capacity) dropped += 1
    else if (waiting.push(span) === batchSize) Queue.unsafeOffer(full, undefined)
  }
})
