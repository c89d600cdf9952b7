/** Secrets of users for their tasks: the value is sealed, the hosts that it may go to are JSON. */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"

export const secrets = Effect.flatMap(SqlClient, (sql) =>
  sql.unsafe(`CREATE TABLE secrets (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    hosts TEXT NOT NULL,
    sealed BLOB NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (user_id, name)
  ) STRICT, WITHOUT ROWID`)
)
