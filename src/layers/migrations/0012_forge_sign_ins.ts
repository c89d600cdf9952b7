/**
 * Who users are at their forge, and what the forge lets Errand do for them.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"

const tables = [
  // A login can change and be taken by somebody else; `subject` names a person for ever.
  `CREATE TABLE forge_identities (
    host TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (host, subject)
  ) STRICT, WITHOUT ROWID`,
  "CREATE UNIQUE INDEX forge_identities_by_user ON forge_identities (user_id, host)",

  `CREATE TABLE forge_grants (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    host TEXT NOT NULL,
    sealed BLOB NOT NULL,
    status TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (user_id, host)
  ) STRICT, WITHOUT ROWID`
]

export const forgeSignIns = Effect.flatMap(SqlClient, (sql) =>
  Effect.forEach(tables, (statement) => sql.unsafe(statement), { discard: true })
)
