import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import * as AccountsMemory from "../../src/layers/AccountsMemory.ts"
import * as AccountsSqlite from "../../src/layers/AccountsSqlite.ts"
import * as GitCredentialsMemory from "../../src/layers/GitCredentialsMemory.ts"
import * as GitCredentialsSqlite from "../../src/layers/GitCredentialsSqlite.ts"
import * as IdsCounter from "../../src/layers/IdsCounter.ts"
import * as VaultAesGcm from "../../src/layers/VaultAesGcm.ts"
import { Accounts } from "../../src/services/Accounts.ts"
import { GitCredentials } from "../../src/services/GitCredentials.ts"
import { gitCredentialsContract } from "../support/gitCredentialsContract.ts"
import { eventsSqlite } from "../support/storageLayers.ts"

const vault = VaultAesGcm.layerWith(Redacted.make("a key of more than thirty-two characters"))
const accounts = AccountsSqlite.layer.pipe(Layer.provideMerge(eventsSqlite), Layer.provide(IdsCounter.layer))
const onSqlite = GitCredentialsSqlite.layer.pipe(Layer.provideMerge(accounts), Layer.provide(vault))

gitCredentialsContract(
  "GitCredentialsMemory",
  Layer.merge(GitCredentialsMemory.layer, Layer.provide(AccountsMemory.layer, IdsCounter.layer))
)
gitCredentialsContract("GitCredentialsSqlite", onSqlite)

describe("GitCredentialsSqlite", () => {
  it.effect("stores nothing of the value in clear, and opens no row that was copied to another owner or host", () =>
    Effect.gen(function* () {
      const credentials = yield* GitCredentials
      const sql = yield* SqlClient
      const { user } = yield* (yield* Accounts).createToken("alice", { name: "phone", scopes: [] })
      yield* credentials.put(user.id, "git.example", { kind: "token", value: Redacted.make("glpat-canary") })
      const rows = yield* sql<{ readonly sealed: Uint8Array }>`SELECT sealed FROM git_credentials`
      assert.notInclude(Buffer.from(rows[0]?.sealed ?? []).toString("latin1"), "canary")

      yield* sql`UPDATE git_credentials SET host = 'evil.example'`
      assert.isTrue(Option.isNone(yield* credentials.find(user.id, "evil.example")))
      assert.lengthOf(yield* credentials.list(user.id), 1)
    }).pipe(Effect.provide(onSqlite))
  )
})
