/** Schedules, what became of their slots, and which task came from which. */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"

const statements = [
  `CREATE TABLE schedules (
    id TEXT PRIMARY KEY NOT NULL,
    owner TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title TEXT NOT NULL,
    cron TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    overlap TEXT NOT NULL,
    catch_up TEXT NOT NULL,
    catch_up_window_seconds INTEGER NOT NULL,
    enabled INTEGER NOT NULL,
    next_run_at TEXT,
    settled_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    task TEXT NOT NULL
  ) STRICT`,
  "CREATE INDEX schedules_by_owner ON schedules (owner, created_at, id)",
  "CREATE INDEX schedules_by_next_run ON schedules (next_run_at) WHERE next_run_at IS NOT NULL",

  // The key is what lets no slot come twice.
  `CREATE TABLE schedule_runs (
    schedule_id TEXT NOT NULL REFERENCES schedules (id) ON DELETE CASCADE,
    slot TEXT NOT NULL,
    through TEXT,
    status TEXT NOT NULL,
    reason TEXT,
    detail TEXT,
    task_id TEXT,
    blocked_by TEXT,
    recorded_at TEXT NOT NULL,
    PRIMARY KEY (schedule_id, slot)
  ) STRICT, WITHOUT ROWID`,

  // No reference: a task outlives its schedule.
  "ALTER TABLE tasks ADD COLUMN schedule_id TEXT",
  "CREATE INDEX tasks_by_schedule ON tasks (schedule_id, status) WHERE schedule_id IS NOT NULL"
]

export const schedules = Effect.flatMap(SqlClient, (sql) =>
  Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })
)
