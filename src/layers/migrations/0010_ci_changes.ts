/** CI definitions that a task changes, and questions about a push. */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"

const statements = [
  "ALTER TABLE tasks ADD COLUMN ci_changes TEXT NOT NULL DEFAULT '[]'",
  "ALTER TABLE questions ADD COLUMN commit_id TEXT"
]

export const ciChanges = Effect.flatMap(SqlClient, (sql) =>
  Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })
)
