/** What the sandboxes of a task asked for on the network: one row for each host. */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"

export const network = Effect.flatMap(SqlClient, (sql) =>
  sql.unsafe(`CREATE TABLE network_traffic (
    task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    host TEXT NOT NULL,
    requests INTEGER NOT NULL,
    refusals INTEGER NOT NULL,
    sent_bytes INTEGER NOT NULL,
    received_bytes INTEGER NOT NULL,
    first_at TEXT NOT NULL,
    last_at TEXT NOT NULL,
    PRIMARY KEY (task_id, host)
  ) STRICT, WITHOUT ROWID`)
)
