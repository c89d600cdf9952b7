/** Who runs which task: a row is a slot in use. */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"

const table = `CREATE TABLE leases (
  task_id TEXT PRIMARY KEY NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  run INTEGER NOT NULL,
  worker TEXT NOT NULL,
  until TEXT NOT NULL
) STRICT, WITHOUT ROWID`

export const leases = Effect.flatMap(SqlClient, (sql) => sql.unsafe(table))
