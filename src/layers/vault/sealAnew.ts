/**
 * Sealing everything with the newest key.
 *
 * Row by row, and only where the row is still as it was read: the server may run meanwhile, and a crash leaves some rows
 * to the next time. Every row opens at every moment, because the older keys stay where they are.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect, Option } from "effect"
import { Transaction } from "../../services/Transaction.ts"
import { Vault } from "../../services/Vault.ts"
import { sealedGrants } from "../ForgeTokensSqlite.ts"
import { sealedCredentials } from "../GitCredentialsSqlite.ts"
import { sealedSecrets } from "../SecretsSqlite.ts"
import { sealedKeys, sealedSuccessors } from "../SessionsSqlite.ts"
import { sealedTickets } from "../TicketsSqlite.ts"
import type { SealedColumn } from "./SealedColumn.ts"

export const columns: ReadonlyArray<SealedColumn> = [
  sealedCredentials,
  sealedGrants,
  sealedSecrets,
  sealedKeys,
  sealedSuccessors,
  sealedTickets
]

export interface SealedAnew {
  readonly renewed: number
  /** Secrets that no known key opens: their owners have to store them again. */
  readonly lost: number
}

const sealColumn = Effect.fnUntraced(function* ({ column, keys, purpose, table }: SealedColumn) {
  const sql = yield* SqlClient
  const transaction = yield* Transaction
  const vault = yield* Vault
  const names = sql.literal(keys.join(", "))
  const at = (row: Readonly<Record<string, unknown>>) =>
    sql.and(keys.map((key) => sql`${sql(key)} = ${String(row[key])}`))
  const rows = yield* Effect.orDie(
    sql<Readonly<Record<string, string>>>`SELECT ${names} FROM ${sql(table)} WHERE ${sql(column)} IS NOT NULL`
  )
  let [renewed, lost] = [0, 0]
  for (const row of rows) {
    const found = yield* Effect.orDie(
      sql<{ readonly sealed: Uint8Array | null }>`SELECT ${sql(column)} AS sealed FROM ${sql(table)} WHERE ${at(row)}`
    )
    const sealed = found[0]?.sealed
    if (sealed === undefined || sealed === null) continue
    const fresh = yield* Effect.either(vault.renew(purpose(row), sealed))
    if (fresh._tag === "Left") {
      lost++
      continue
    }
    if (Option.isNone(fresh.right)) continue
    const { value } = fresh.right
    yield* transaction.run(
      Effect.orDie(
        sql`UPDATE ${sql(table)} SET ${sql(column)} = ${value} WHERE ${at(row)} AND ${sql(column)} = ${sealed}`
      )
    )
    renewed++
  }
  return { renewed, lost }
})

export const sealAnew = Effect.map(Effect.forEach(columns, sealColumn), (all): SealedAnew => ({
  renewed: all.reduce((sum, { renewed }) => sum + renewed, 0),
  lost: all.reduce((sum, { lost }) => sum + lost, 0)
}))
