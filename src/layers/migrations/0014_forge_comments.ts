/** Comments of forges that were acted on. */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"

const table = `CREATE TABLE forge_comments (
  host TEXT NOT NULL,
  kind TEXT NOT NULL,
  id INTEGER NOT NULL,
  claimed_at TEXT NOT NULL,
  PRIMARY KEY (host, kind, id)
) STRICT, WITHOUT ROWID`

export const forgeComments = Effect.flatMap(SqlClient, (sql) => sql.unsafe(table))
