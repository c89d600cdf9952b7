/** Points around every commit, named after the events that it stores. */
import { SqlClient } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import { Context, Effect, Layer } from "effect"
import * as Sqlite from "../../../src/layers/Sqlite.ts"
import { around } from "../faultPoint.ts"

export * from "../../../src/layers/Sqlite.ts"

const columnsOfAnEvent = 6
const full = new SqlError({ cause: Object.assign(new Error("disk full"), { code: "SQLITE_FULL" }) })

/** The types of the events that are inserted; those of inboxes follow from others. */
const typesIn = (values: ReadonlyArray<unknown>): ReadonlyArray<string> =>
  Array.from({ length: values.length / columnsOfAnEvent }, (_, row) => row * columnsOfAnEvent).flatMap((row) =>
    String(values[row]).startsWith("task:") ? [String(values[row + 4])] : []
  )

const watched = (connection: Connection): Connection => {
  const types = new Set<string>()
  const see = (text: string, values: ReadonlyArray<unknown>) => {
    if (text === "BEGIN IMMEDIATE") types.clear()
    else if (text.startsWith("INSERT INTO events ")) for (const type of typesIn(values)) types.add(type)
    else if (text.startsWith("DELETE FROM leases ")) types.add("lease.released")
  }
  return {
    ...connection,
    execute: (text, values, transformRows) => {
      see(text, values)
      const executed = connection.execute(text, values, transformRows)
      return text === "COMMIT"
        ? [...types].reduce((inner, type) => around(`commit.${type}`, inner, Effect.fail(full)), executed)
        : executed
    }
  }
}

export const layer = Layer.map(Sqlite.layer, (context) => {
  const sql = Context.get(context, SqlClient)
  return Context.add(context, SqlClient, Object.assign(sql, { reserve: Effect.map(sql.reserve, watched) }))
})
