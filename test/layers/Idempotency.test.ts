import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, TestClock } from "effect"
import * as AccountsMemory from "../../src/layers/AccountsMemory.ts"
import * as AccountsSqlite from "../../src/layers/AccountsSqlite.ts"
import * as IdempotencyMemory from "../../src/layers/IdempotencyMemory.ts"
import * as IdempotencySqlite from "../../src/layers/IdempotencySqlite.ts"
import * as IdsCounter from "../../src/layers/IdsCounter.ts"
import { Accounts } from "../../src/services/Accounts.ts"
import { Idempotency } from "../../src/services/Idempotency.ts"
import { idempotencyContract } from "../support/idempotencyContract.ts"
import { eventsMemory, eventsSqlite } from "../support/storageLayers.ts"

const onSqlite = Layer.merge(IdempotencySqlite.layer, AccountsSqlite.layer).pipe(
  Layer.provideMerge(eventsSqlite),
  Layer.provide(IdsCounter.layer)
)

idempotencyContract(
  "IdempotencyMemory",
  Layer.merge(
    Layer.provide(IdempotencyMemory.layer, eventsMemory),
    Layer.provide(AccountsMemory.layer, IdsCounter.layer)
  )
)
idempotencyContract("IdempotencySqlite", onSqlite)

const answer = { status: 200, headers: {}, body: "" }

describe("IdempotencySqlite", () => {
  it.effect("stores the key and the effect together, or neither", () =>
    Effect.gen(function* () {
      const { once } = yield* Idempotency
      const sql = yield* SqlClient
      const { user } = yield* (yield* Accounts).createToken("alice", { name: "phone", scopes: [] })
      const request = { owner: user.id, key: "k", fingerprint: "f" }
      const rename = Effect.as(sql`UPDATE users SET login = 'renamed'`, answer)
      yield* Effect.flip(once(request, Effect.zipRight(rename, Effect.fail("no"))))
      const logins = sql<{ login: string }>`SELECT login FROM users`
      assert.deepStrictEqual(yield* logins, [{ login: "alice" }])
      assert.lengthOf(yield* sql`SELECT 1 FROM idempotency_keys`, 0)
      yield* once(request, rename)
      assert.deepStrictEqual(yield* logins, [{ login: "renamed" }])
      assert.lengthOf(yield* sql`SELECT 1 FROM idempotency_keys`, 1)
    }).pipe(Effect.provide(onSqlite))
  )

  it.effect("removes old keys in bounded portions until none is left", () =>
    Effect.gen(function* () {
      const { once } = yield* Idempotency
      const sql = yield* SqlClient
      const { user } = yield* (yield* Accounts).createToken("alice", { name: "phone", scopes: [] })
      yield* Effect.forEach(
        Array.from({ length: 1_100 }, (_, index) => `${index}`),
        (key) => once({ owner: user.id, key, fingerprint: "f" }, Effect.succeed(answer)),
        { concurrency: "unbounded" }
      )
      yield* TestClock.adjust("50 hours")
      // Commits take real time; the limit of the test is the limit of this wait.
      const left = Effect.zipRight(
        Effect.promise(() => new Promise((resolve) => setImmediate(resolve))),
        sql`SELECT 1 FROM idempotency_keys`
      )
      assert.lengthOf(yield* Effect.repeat(left, { until: (rows) => rows.length === 0 }), 0)
    }).pipe(Effect.provide(onSqlite))
  )
})
