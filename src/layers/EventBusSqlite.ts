/**
 * EventBus on SQLite: the number of an event is taken in the transaction that stores it.
 *
 * Owns: the tables `streams` and `events`, and the name of the log in `meta`.
 * Does not own: commits (`TransactionSqlite.ts`).
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect, Layer, Option } from "effect"
import { EventBus, type StoredEvent, type StreamName } from "../services/EventBus.ts"
import type { AnyEvent } from "../services/TaskEvent.ts"
import { Transaction } from "../services/Transaction.ts"
import { followWith } from "./events/follow.ts"
import { makeListeners } from "./events/listeners.ts"
import { decoding } from "./sqlite/rows.ts"
import { insert } from "./sqlite/statements.ts"
import { openHere } from "./sqlite/TransactionJob.ts"
import { now } from "./timestamp.ts"

interface EventRow {
  readonly seq: number
  readonly at: string
  readonly body: string
}

/** The task that an event is about: a user may ask for all events of one. */
const subject = (stream: StreamName, event: AnyEvent): string =>
  event.type === "task.changed" ? event.task.id : stream.slice(stream.indexOf(":") + 1)

const toRow = ({ at, event, seq, stream }: StoredEvent) => ({
  stream,
  seq,
  task_id: subject(stream, event),
  at,
  type: event.type,
  body: JSON.stringify(event)
})

const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const transaction = yield* Transaction
  const listeners = makeListeners()
  const epochs = yield* Effect.orDie(sql<{ value: string }>`SELECT value FROM meta WHERE key = 'epoch'`)
  const epoch = epochs[0]?.value ?? ""

  // No span, and no part of a transaction that could be undone by itself: every step appends twice, and nothing here
  // fails but the storage.
  const append = (stream: StreamName, events: ReadonlyArray<AnyEvent>) =>
    Effect.flatMap(openHere, (open) => {
      const stored = Effect.orDie(store(stream, events))
      return Option.isSome(open) ? stored : transaction.run(stored)
    })

  const store = Effect.fnUntraced(function* (stream: StreamName, events: ReadonlyArray<AnyEvent>) {
    if (events.length === 0) return []
    const at = yield* now
    const [streamRow] = yield* insert<{ head: number }>(
      "streams",
      [{ name: stream, head: events.length }],
      "ON CONFLICT (name) DO UPDATE SET head = head + excluded.head RETURNING head"
    )
    const first = (streamRow?.head ?? events.length) - events.length + 1
    const stored = events.map((event, index): StoredEvent => ({ stream, seq: first + index, at, event }))
    yield* insert("events", stored.map(toRow))
    yield* transaction.afterCommit(Effect.sync(() => listeners.tell({ _tag: "Events", events: stored })))
    return stored
  })

  const read = Effect.fn("EventBus.read")(function* (stream: StreamName, after: number, limit: number) {
    const rows = yield* sql<EventRow>`
      SELECT seq, at, body FROM events WHERE stream = ${stream} AND seq > ${after} ORDER BY seq LIMIT ${limit}`
    return yield* decoding("events", () =>
      rows.map(({ at, body, seq }): StoredEvent => ({ stream, seq, at, event: JSON.parse(body) }))
    )
  }, Effect.orDie)

  const head = Effect.fn("EventBus.head")(function* (stream: StreamName) {
    const rows = yield* sql<{ head: number }>`SELECT head FROM streams WHERE name = ${stream}`
    return rows[0]?.head ?? 0
  }, Effect.orDie)

  const remove = Effect.fn("EventBus.remove")(
    function* (stream: StreamName) {
      yield* sql`DELETE FROM events WHERE stream = ${stream}`
      yield* sql`DELETE FROM streams WHERE name = ${stream}`
    },
    Effect.orDie,
    transaction.run
  )

  return EventBus.of({
    append,
    read,
    head,
    epoch: Effect.succeed(epoch),
    follow: followWith({ listen: listeners.listen, read }),
    preview: (preview) => listeners.tell({ _tag: "Preview", preview }),
    listen: listeners.listen,
    remove
  })
})

export const layer: Layer.Layer<EventBus, never, SqlClient | Transaction> = Layer.effect(EventBus, make)
