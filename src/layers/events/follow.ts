/**
 * A stream's past and future as one.
 *
 * The log is the queue, news only say "look again": the follower listens first and reads then, and reads again whenever
 * something was appended. A wake-up too many is harmless, so one waiting is enough, and a slow follower holds up nobody.
 */
import { Chunk, Effect, Option, Queue, Ref, Stream } from "effect"
import type { EventBus, StoredEvent, StreamName } from "../../services/EventBus.ts"

const pageSize = 256

export const followWith =
  (bus: Pick<typeof EventBus.Service, "listen" | "read">) =>
  (stream: StreamName, after: number): Stream.Stream<StoredEvent> =>
    Stream.unwrapScoped(
      Effect.gen(function* () {
        const wakeUps = yield* Queue.sliding<void>(1)
        yield* bus.listen((news) => {
          if (news._tag === "Events" && news.events[0]?.stream === stream) wakeUps.unsafeOffer(undefined)
        })
        const cursor = yield* Ref.make(after)
        const nextPage = Effect.gen(function* () {
          const events = Chunk.fromIterable(yield* bus.read(stream, yield* Ref.get(cursor), pageSize))
          const last = Chunk.last(events)
          if (Option.isSome(last)) yield* Ref.set(cursor, last.value.seq)
          else yield* Queue.take(wakeUps)
          return events
        })
        return Stream.repeatEffectChunk(nextPage)
      })
    )
