/** What the forge says of the pull request of a task. */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"

const statements = [
  "ALTER TABLE tasks ADD COLUMN pull_request_state TEXT",
  "ALTER TABLE tasks ADD COLUMN pull_request_draft INTEGER",
  "ALTER TABLE tasks ADD COLUMN pull_request_checks TEXT",
  "ALTER TABLE tasks ADD COLUMN pull_request_review TEXT",
  "CREATE INDEX tasks_by_pull_request ON tasks (pull_request_url) WHERE pull_request_url IS NOT NULL"
]

export const pullRequests = Effect.flatMap(SqlClient, (sql) =>
  Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })
)
