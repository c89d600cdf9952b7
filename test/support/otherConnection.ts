/** A connection to a database file as another process would have it: no migrations, no pragmas of ours. */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Effect } from "effect"

export const connectTo = (file: string) => Effect.provide(SqliteClient.make({ filename: file }), Reactivity.layer)

/** Executes one statement and disconnects. */
export const executeIn = (file: string, statement: string) =>
  Effect.scoped(Effect.flatMap(connectTo(file), (sql) => sql.unsafe(statement)))
