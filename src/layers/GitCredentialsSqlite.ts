/** GitCredentials in the table `git_credentials`, sealed by the Vault. */
import { SqlClient } from "@effect/sql/SqlClient"
import * as SqlSchema from "@effect/sql/SqlSchema"
import { Effect, Layer, Option, Schema } from "effect"
import { CredentialKind, GitCredentials, StoredCredential } from "../services/GitCredentials.ts"
import { UserId } from "../services/Ids.ts"
import { Transaction } from "../services/Transaction.ts"
import { Vault } from "../services/Vault.ts"
import type { SealedColumn } from "./vault/SealedColumn.ts"
import { now } from "./timestamp.ts"

const Place = Schema.Struct({ owner: UserId, host: Schema.String })
const SealedRow = Schema.Struct({ kind: CredentialKind, sealed: Schema.Uint8ArrayFromSelf })

const queries = (sql: SqlClient) => ({
  find: SqlSchema.findOne({
    Request: Place,
    Result: SealedRow,
    execute: ({ host, owner }) =>
      sql`SELECT kind, sealed FROM git_credentials WHERE user_id = ${owner} AND host = ${host}`
  }),
  list: SqlSchema.findAll({
    Request: UserId,
    Result: StoredCredential,
    execute: (owner) => sql`
      SELECT host, kind, updated_at AS updatedAt FROM git_credentials WHERE user_id = ${owner} ORDER BY host`
  })
})

/** A sealed credential opens for its owner and host only, wherever its row is copied to. */
const purpose = ({ host, owner }: typeof Place.Type): string => `git credential of ${owner} for ${host}`

export const sealedCredentials: SealedColumn = {
  table: "git_credentials",
  column: "sealed",
  keys: ["user_id", "host"],
  purpose: ({ host, user_id }) => `git credential of ${user_id} for ${host}`
}

/** Host names don't differ in case; URLs of tasks have them in lower case. */
const placeOf = (owner: UserId, host: string): typeof Place.Type => ({ owner, host: host.toLowerCase() })

export const layer = Layer.effect(
  GitCredentials,
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const transaction = yield* Transaction
    const vault = yield* Vault
    const query = queries(sql)

    return GitCredentials.of({
      put: Effect.fn("GitCredentials.put")(function* (owner, host, { kind, value }) {
        const place = placeOf(owner, host)
        const row = {
          user_id: place.owner,
          host: place.host,
          kind,
          sealed: yield* vault.seal(purpose(place), value),
          updated_at: yield* now
        }
        yield* transaction.run(Effect.orDie(sql`INSERT OR REPLACE INTO git_credentials ${sql.insert(row)}`))
      }),

      remove: Effect.fn("GitCredentials.remove")(function* (owner, host) {
        const place = placeOf(owner, host)
        const rows = yield* transaction.run(
          Effect.orDie(sql`
            DELETE FROM git_credentials WHERE user_id = ${place.owner} AND host = ${place.host} RETURNING host`)
        )
        return rows.length > 0
      }),

      list: Effect.fn("GitCredentials.list")((owner) => Effect.orDie(query.list(owner))),

      find: Effect.fn("GitCredentials.find")(
        function* (owner, host) {
          const place = placeOf(owner, host)
          const found = yield* Effect.orDie(query.find(place))
          if (Option.isNone(found)) return Option.none()
          const { kind, sealed } = found.value
          return Option.some({ kind, value: yield* vault.open(purpose(place), sealed) })
        },
        // Git then says that it has no credential, which is what the owner can act on.
        Effect.catchTag("VaultLocked", (locked) => Effect.as(Effect.logWarning(locked.message), Option.none()))
      )
    })
  })
)
