/** Secrets in the table `secrets`, their values sealed by the Vault. */
import { SqlClient } from "@effect/sql/SqlClient"
import * as SqlSchema from "@effect/sql/SqlSchema"
import { Array, Effect, Layer, Option, Schema } from "effect"
import { UserId } from "../services/Ids.ts"
import { mostSecrets, type Secret, SecretName, Secrets, TooManySecrets } from "../services/Secrets.ts"
import { Timestamp } from "../services/Task.ts"
import { Transaction } from "../services/Transaction.ts"
import { Vault } from "../services/Vault.ts"
import { now } from "./timestamp.ts"
import type { SealedColumn } from "./vault/SealedColumn.ts"

const Place = Schema.Struct({ owner: UserId, name: Schema.String })
const Hosts = Schema.parseJson(Schema.Array(Schema.String))
const ListedRow = Schema.Struct({ name: SecretName, hosts: Hosts, updatedAt: Timestamp })
const SealedRow = Schema.Struct({ name: SecretName, hosts: Hosts, sealed: Schema.Uint8ArrayFromSelf })

const queries = (sql: SqlClient) => ({
  find: SqlSchema.findOne({
    Request: Place,
    Result: SealedRow,
    execute: ({ name, owner }) =>
      sql`SELECT name, hosts, sealed FROM secrets WHERE user_id = ${owner} AND name = ${name}`
  }),
  others: SqlSchema.single({
    Request: Place,
    Result: Schema.Struct({ count: Schema.Int }),
    execute: ({ name, owner }) =>
      sql`SELECT count(*) AS count FROM secrets WHERE user_id = ${owner} AND name <> ${name}`
  }),
  list: SqlSchema.findAll({
    Request: UserId,
    Result: ListedRow,
    execute: (owner) =>
      sql`SELECT name, hosts, updated_at AS updatedAt FROM secrets WHERE user_id = ${owner} ORDER BY name`
  })
})

/** A value opens for its owner, name and hosts only: an edited row can't send it elsewhere. */
const purpose = (owner: UserId, { hosts, name }: Pick<Secret, "hosts" | "name">): string =>
  `secret ${name} of ${owner} for ${hosts.join(" ")}`

const decodeHosts = Schema.decodeSync(Schema.parseJson(Schema.Array(Schema.String)))

export const sealedSecrets: SealedColumn = {
  table: "secrets",
  column: "sealed",
  keys: ["user_id", "name", "hosts"],
  purpose: ({ hosts = "[]", name = "", user_id }) => `secret ${name} of ${user_id} for ${decodeHosts(hosts).join(" ")}`
}

export const layer = Layer.effect(
  Secrets,
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const transaction = yield* Transaction
    const vault = yield* Vault
    const query = queries(sql)

    const findOne = Effect.fnUntraced(
      function* (owner: UserId, name: string) {
        const found = yield* Effect.orDie(query.find({ owner, name }))
        if (Option.isNone(found)) return Option.none<Secret>()
        const { sealed, ...secret } = found.value
        return Option.some<Secret>({ ...secret, value: yield* vault.open(purpose(owner, secret), sealed) })
      },
      // Its tasks then say that it is missing, which is what the owner can act on.
      Effect.catchTag("VaultLocked", (locked) => Effect.as(Effect.logWarning(locked.message), Option.none<Secret>()))
    )

    return Secrets.of({
      put: Effect.fn("Secrets.put")(function* (owner, secret) {
        const row = {
          user_id: owner,
          name: secret.name,
          // @effect-diagnostics-next-line preferSchemaOverJson:off -- strings that were checked
          hosts: JSON.stringify(secret.hosts),
          sealed: yield* vault.seal(purpose(owner, secret), secret.value),
          updated_at: yield* now
        }
        yield* transaction.run(
          Effect.gen(function* () {
            const { count } = yield* Effect.orDie(query.others({ owner, name: secret.name }))
            if (count >= mostSecrets) return yield* new TooManySecrets()
            yield* Effect.orDie(sql`INSERT OR REPLACE INTO secrets ${sql.insert(row)}`)
          })
        )
      }),

      remove: Effect.fn("Secrets.remove")(function* (owner, name) {
        const rows = yield* transaction.run(
          Effect.orDie(sql`DELETE FROM secrets WHERE user_id = ${owner} AND name = ${name} RETURNING name`)
        )
        return rows.length > 0
      }),

      list: Effect.fn("Secrets.list")((owner) => Effect.orDie(query.list(owner))),

      find: (owner, names) =>
        Effect.map(
          Effect.forEach(names, (name) => findOne(owner, name)),
          Array.getSomes
        )
    })
  })
)
