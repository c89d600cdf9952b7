/**
 * Lines of work: a rewind leaves a line at one of its checkpoints and begins another, so nothing is deleted or moved.
 *
 * A line has what its parent had up to `messages` and `checkpoints`, and what names it. Line 1 and a line that begins
 * where the task began have no parent, and no row.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"

const statements = [
  "ALTER TABLE tasks ADD COLUMN line INTEGER NOT NULL DEFAULT 1",
  "ALTER TABLE tasks ADD COLUMN delivered_commit TEXT",
  "UPDATE tasks SET delivered_commit = pushed_commit",
  "ALTER TABLE messages ADD COLUMN line INTEGER NOT NULL DEFAULT 1",
  "ALTER TABLE checkpoints ADD COLUMN line INTEGER NOT NULL DEFAULT 1",
  "ALTER TABLE checkpoints ADD COLUMN delivered_commit TEXT",
  "ALTER TABLE checkpoints ADD COLUMN messages INTEGER NOT NULL DEFAULT 0",
  // A checkpoint was stored together with the message that it belongs to.
  `UPDATE checkpoints SET messages = (
    SELECT coalesce(max(position), 0) FROM messages
    WHERE messages.task_id = checkpoints.task_id AND messages.created_at <= checkpoints.created_at
  )`,
  `CREATE TABLE lines (
    task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    parent INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    checkpoints INTEGER NOT NULL,
    PRIMARY KEY (task_id, number)
  ) STRICT, WITHOUT ROWID`
]

export const rewind = Effect.flatMap(SqlClient, (sql) =>
  Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })
)
