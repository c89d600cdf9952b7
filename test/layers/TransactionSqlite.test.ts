import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { EventBus } from "../../src/services/EventBus.ts"
import { StorageFull, Transaction } from "../../src/services/Transaction.ts"
import { connectTo } from "../support/otherConnection.ts"
import { newStream, note } from "../support/someEvents.ts"
import { eventsSqlite } from "../support/storageLayers.ts"

const big = note("x".repeat(20_000))

/** From here on the database may grow by so many pages. */
const leaveSpaceFor = Effect.fnUntraced(function* (pages: number) {
  const sql = yield* SqlClient
  const [row] = yield* sql<{ page_count: number }>`PRAGMA page_count`
  yield* sql.unsafe(`PRAGMA max_page_count = ${(row?.page_count ?? 0) + pages}`)
})

/** Pages that were written to the log since the last time. */
const pagesWritten = Effect.gen(function* () {
  const sql = yield* SqlClient
  const [row] = yield* sql<{ log: number }>`PRAGMA wal_checkpoint(PASSIVE)`
  yield* sql`PRAGMA wal_checkpoint(TRUNCATE)`
  return row?.log ?? 0
})

describe("TransactionSqlite", () => {
  it.effect("fails with StorageFull, stores nothing of it, and goes on when there is space", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const streams = Array.from({ length: 20 }, newStream)
      yield* leaveSpaceFor(20)
      const exits = yield* Effect.forEach(
        streams,
        (stream) => Effect.exit(Effect.zipRight(bus.append(stream, [note("a")]), bus.append(stream, [big]))),
        { concurrency: 10 }
      )
      const failures = exits.filter(Exit.isFailure)
      assert.isAbove(failures.length, 0)
      for (const { cause } of failures) assert.deepStrictEqual(cause, Cause.fail(new StorageFull()))
      for (const stream of streams) {
        assert.strictEqual((yield* bus.read(stream, 0, 10)).length, yield* bus.head(stream))
      }
      yield* leaveSpaceFor(1000)
      const stream = newStream()
      yield* bus.append(stream, [big])
      assert.strictEqual(yield* bus.head(stream), 1)
    }).pipe(Effect.provide(eventsSqlite))
  )

  it.effect("ends the whole transaction when a part of it finds no space, whoever catches that", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const transaction = yield* Transaction
      const stream = newStream()
      yield* leaveSpaceFor(5)
      const failure = yield* Effect.flip(
        transaction.run(
          Effect.gen(function* () {
            yield* bus.append(stream, [note("before")])
            yield* Effect.ignore(
              transaction.run(Effect.forEach(Array.from({ length: 20 }), () => bus.append(stream, [big])))
            )
            return "as if nothing had happened"
          })
        )
      )
      assert.deepStrictEqual(failure, new StorageFull())
      assert.strictEqual(yield* bus.head(stream), 0)
    }).pipe(Effect.provide(eventsSqlite))
  )

  it.effect("commits what comes in one moment together", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const streams = Array.from({ length: 30 }, newStream)
      const appendAll = (concurrency: number) =>
        Effect.forEach(streams, (stream) => bus.append(stream, [note("a")]), { concurrency, discard: true })
      yield* appendAll(30)
      yield* pagesWritten
      yield* appendAll(1)
      const oneByOne = yield* pagesWritten
      yield* appendAll(30)
      const together = yield* pagesWritten
      assert.isBelow(together * 5, oneByOne)
    }).pipe(Effect.provide(eventsSqlite))
  )

  it.live("waits for the lock of another process", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const sql = yield* SqlClient
      const [main] = yield* sql<{ file: string }>`PRAGMA database_list`
      const other = yield* connectTo(main?.file ?? "")
      yield* other`BEGIN IMMEDIATE`
      const stream = newStream()
      yield* Effect.all([bus.append(stream, [note("a")]), Effect.delay(other`COMMIT`, "300 millis")], {
        concurrency: "unbounded"
      })
      assert.strictEqual(yield* bus.head(stream), 1)
    }).pipe(Effect.scoped, Effect.provide(eventsSqlite))
  )
})
