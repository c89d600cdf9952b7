/** EventBus in memory: the same numbering, replay and news, gone with the process. */
import { Chunk, Effect, HashMap, Layer, Option, Random } from "effect"
import { EventBus, type StoredEvent, type StreamName } from "../services/EventBus.ts"
import type { AnyEvent } from "../services/TaskEvent.ts"
import { Transaction } from "../services/Transaction.ts"
import { followWith } from "./events/follow.ts"
import { makeListeners } from "./events/listeners.ts"
import { MemoryState } from "./memory/MemoryState.ts"
import { now } from "./timestamp.ts"

const make = Effect.gen(function* () {
  const transaction = yield* Transaction
  const streams = yield* (yield* MemoryState).slice(HashMap.empty<StreamName, Chunk.Chunk<StoredEvent>>())
  const epoch = (yield* Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER)).toString(16)
  const listeners = makeListeners()

  const eventsOf = (stream: StreamName) =>
    Effect.map(streams.get, (all) => Option.getOrElse(HashMap.get(all, stream), Chunk.empty<StoredEvent>))

  const append = Effect.fn("EventBus.append")(function* (stream: StreamName, events: ReadonlyArray<AnyEvent>) {
    if (events.length === 0) return []
    const at = yield* now
    const before = yield* eventsOf(stream)
    const stored = events.map((event, index): StoredEvent => ({ stream, seq: before.length + index + 1, at, event }))
    yield* streams.update(HashMap.set(stream, Chunk.appendAll(before, Chunk.unsafeFromArray(stored))))
    yield* transaction.afterCommit(Effect.sync(() => listeners.tell({ _tag: "Events", events: stored })))
    return stored
  }, transaction.run)

  const read = Effect.fn("EventBus.read")(function* (stream: StreamName, after: number, limit: number) {
    const events = yield* eventsOf(stream)
    return Chunk.toReadonlyArray(Chunk.take(Chunk.drop(events, after), limit))
  })

  return EventBus.of({
    append,
    read,
    head: (stream) => Effect.map(eventsOf(stream), Chunk.size),
    epoch: Effect.succeed(epoch),
    follow: followWith({ listen: listeners.listen, read }),
    preview: (preview) => listeners.tell({ _tag: "Preview", preview }),
    listen: listeners.listen,
    remove: (stream) => transaction.run(streams.update(HashMap.remove(stream)))
  })
})

export const layer: Layer.Layer<EventBus, never, Transaction | MemoryState> = Layer.effect(EventBus, make)
