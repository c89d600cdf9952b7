import { assert, describe, it } from "@effect/vitest"
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect, FastCheck, Layer, Option, Redacted } from "effect"
import * as AccountsMemory from "../../src/layers/AccountsMemory.ts"
import * as AccountsSqlite from "../../src/layers/AccountsSqlite.ts"
import { hashToken, makeToken } from "../../src/layers/opaqueToken.ts"
import * as IdsCounter from "../../src/layers/IdsCounter.ts"
import { Accounts } from "../../src/services/Accounts.ts"
import { StorageFull, Transaction } from "../../src/services/Transaction.ts"
import { accountsContract } from "../support/accountsContract.ts"
import { eventsSqlite } from "../support/storageLayers.ts"

const onSqlite = AccountsSqlite.layer.pipe(Layer.provideMerge(eventsSqlite), Layer.provide(IdsCounter.layer))

accountsContract("AccountsMemory", Layer.provide(AccountsMemory.layer, IdsCounter.layer))
accountsContract("AccountsSqlite", onSqlite)

describe("AccountsSqlite", () => {
  it.effect("stores the hash of a token and nothing of the token itself", () =>
    Effect.gen(function* () {
      const accounts = yield* Accounts
      const sql = yield* SqlClient
      const { token } = yield* accounts.createToken("alice", { name: "phone", scopes: ["write"] })
      const stored = JSON.stringify(yield* sql`SELECT * FROM users, devices`)
      assert.include(stored, Option.getOrThrow(hashToken("pat", token)))
      assert.notInclude(stored, Redacted.value(token).slice("errand_pat_".length, -6))
    }).pipe(Effect.provide(onSqlite))
  )
})

describe("AccountsSqlite on a full disk", () => {
  const fullDisk = Layer.succeed(Transaction, { run: () => new StorageFull(), afterCommit: (effect) => effect })

  it.effect("still knows the bearer of a token, and makes no new one", () =>
    Effect.gen(function* () {
      const { token, user } = yield* (yield* Accounts).createToken("alice", { name: "phone", scopes: [] })
      yield* Effect.gen(function* () {
        const accounts = yield* Accounts
        const principal = yield* accounts.authenticate(token)
        assert.deepStrictEqual(Option.getOrThrow(principal).user, user)
        const failure = yield* Effect.flip(accounts.createToken("bob", { name: "phone", scopes: [] }))
        assert.strictEqual(failure._tag, "StorageFull")
        assert.lengthOf(yield* accounts.devices(Option.none()), 1)
      }).pipe(Effect.provide(AccountsSqlite.layer.pipe(Layer.provide([fullDisk, IdsCounter.layer]))))
    }).pipe(Effect.provide(onSqlite))
  )
})

describe("access tokens", () => {
  it.effect("are all different", () =>
    Effect.gen(function* () {
      const made = yield* Effect.replicateEffect(makeToken("pat"), 500)
      assert.strictEqual(new Set(made.map(({ hash }) => hash)).size, 500)
      for (const { hash, token } of made) assert.deepStrictEqual(hashToken("pat", token), Option.some(hash))
    })
  )

  it.effect.prop(
    "are refused with any one character replaced",
    [FastCheck.integer({ min: 11, max: 59 }), FastCheck.constantFrom(..."09AZaz-_ ")],
    ([position, character]) =>
      Effect.gen(function* () {
        const text = Redacted.value((yield* makeToken("pat")).token)
        const typo = text.slice(0, position) + character + text.slice(position + 1)
        assert.strictEqual(Option.isSome(hashToken("pat", Redacted.make(typo))), typo === text)
      })
  )
})
