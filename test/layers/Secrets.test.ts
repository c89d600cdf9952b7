import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import * as AccountsMemory from "../../src/layers/AccountsMemory.ts"
import * as AccountsSqlite from "../../src/layers/AccountsSqlite.ts"
import * as IdsCounter from "../../src/layers/IdsCounter.ts"
import * as SecretsMemory from "../../src/layers/SecretsMemory.ts"
import * as SecretsSqlite from "../../src/layers/SecretsSqlite.ts"
import * as VaultAesGcm from "../../src/layers/VaultAesGcm.ts"
import { Accounts } from "../../src/services/Accounts.ts"
import { Secrets } from "../../src/services/Secrets.ts"
import { secretOf, secretsContract } from "../support/secretsContract.ts"
import { eventsSqlite } from "../support/storageLayers.ts"

const vault = VaultAesGcm.layerWith(Redacted.make("a key of more than thirty-two characters"))
const accounts = AccountsSqlite.layer.pipe(Layer.provideMerge(eventsSqlite), Layer.provide(IdsCounter.layer))
const onSqlite = SecretsSqlite.layer.pipe(Layer.provideMerge(accounts), Layer.provide(vault))

secretsContract(
  "SecretsMemory",
  Layer.merge(SecretsMemory.layer, Layer.provide(AccountsMemory.layer, IdsCounter.layer))
)
secretsContract("SecretsSqlite", onSqlite)

/** Seen to fail with a purpose that does not name the hosts: the edited row opened, for a host that nobody had named. */
describe("SecretsSqlite", () => {
  it.effect("stores nothing of the value in clear, and opens no row that was copied or given other hosts", () =>
    Effect.gen(function* () {
      const secrets = yield* Secrets
      const sql = yield* SqlClient
      const { user } = yield* (yield* Accounts).createToken("alice", { name: "phone", scopes: [] })
      yield* secrets.put(user.id, secretOf("TOKEN", "canary value"))
      yield* secrets.put(user.id, secretOf("OTHER", "another canary"))
      const rows = yield* sql<{ readonly sealed: Uint8Array }>`SELECT sealed FROM secrets`
      for (const { sealed } of rows) assert.notInclude(Buffer.from(sealed).toString("latin1"), "canary")

      yield* sql`UPDATE secrets SET hosts = '["evil.example"]' WHERE name = 'TOKEN'`
      yield* sql`UPDATE secrets SET name = 'STOLEN' WHERE name = 'OTHER'`
      assert.deepStrictEqual(yield* secrets.find(user.id, ["TOKEN", "STOLEN", "OTHER"]), [])
    }).pipe(Effect.provide(onSqlite))
  )
})
