/** Tickets in the table `tickets`. */
import { SqlClient } from "@effect/sql/SqlClient"
import * as SqlSchema from "@effect/sql/SqlSchema"
import { Effect, Layer, Schema } from "effect"
import { Timestamp } from "../services/Task.ts"
import { Tickets } from "../services/Tickets.ts"
import { makeTickets, ticketPurpose } from "./tickets/makeTickets.ts"
import type { TicketStore } from "./tickets/TicketStore.ts"
import type { SealedColumn } from "./vault/SealedColumn.ts"

const TicketRow = Schema.Struct({
  kind: Schema.String,
  name: Schema.String,
  sealed: Schema.Uint8ArrayFromSelf,
  expiresAt: Timestamp
})

export const sealedTickets: SealedColumn = {
  table: "tickets",
  column: "sealed",
  keys: ["kind", "name"],
  purpose: ({ kind = "", name = "" }) => ticketPurpose(kind, name)
}

const makeStore = (sql: SqlClient): TicketStore => {
  const find = SqlSchema.findOne({
    Request: Schema.Struct({ kind: Schema.String, name: Schema.String }),
    Result: TicketRow,
    execute: ({ kind, name }) => sql`
      SELECT kind, name, sealed, expires_at AS expiresAt FROM tickets WHERE kind = ${kind} AND name = ${name}`
  })
  return {
    find: (kind, name) => Effect.orDie(find({ kind, name })),
    put: ({ expiresAt, kind, name, sealed }) =>
      Effect.orDie(sql`INSERT OR REPLACE INTO tickets ${sql.insert({ kind, name, sealed, expires_at: expiresAt })}`),
    remove: (kind, name) => Effect.orDie(sql`DELETE FROM tickets WHERE kind = ${kind} AND name = ${name}`),
    tidy: (now, most) =>
      Effect.orDie(sql`
        DELETE FROM tickets WHERE expires_at <= ${now} OR (kind, name) IN (
          SELECT kind, name FROM tickets ORDER BY expires_at DESC LIMIT -1 OFFSET ${most})`)
  }
}

export const layer = Layer.effect(
  Tickets,
  Effect.flatMap(SqlClient, (sql) => makeTickets(makeStore(sql)))
)
