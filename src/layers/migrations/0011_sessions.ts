/**
 * Sessions: devices that signed in, their refresh tokens, the keys that sign access tokens, and secrets for one use.
 *
 * A user who was removed keeps the row that tasks refer to. `sealed` columns open with the server's key alone.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"

const statements = [
  "ALTER TABLE users ADD COLUMN removed_at TEXT",

  // A session has no token that lasts, unless it is a browser's: a new table, because SQLite can't take NOT NULL away.
  `CREATE TABLE devices_with_sessions (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    scopes TEXT NOT NULL,
    token_hash TEXT UNIQUE,
    created_at TEXT NOT NULL,
    last_seen_at TEXT,
    expires_at TEXT,
    revoked_at TEXT
  ) STRICT`,
  `INSERT INTO devices_with_sessions
    SELECT id, user_id, name, kind, scopes, token_hash, created_at, last_seen_at, NULL, revoked_at FROM devices`,
  "DROP TABLE devices",
  "ALTER TABLE devices_with_sessions RENAME TO devices",
  "CREATE INDEX devices_by_user ON devices (user_id, created_at)",

  // `successor` is there while a repeated refresh gets it again.
  `CREATE TABLE refresh_tokens (
    hash TEXT PRIMARY KEY NOT NULL,
    device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    used_at TEXT,
    successor_sealed BLOB
  ) STRICT, WITHOUT ROWID`,
  "CREATE INDEX refresh_tokens_by_device ON refresh_tokens (device_id)",
  "CREATE INDEX refresh_tokens_repeatable ON refresh_tokens (device_id, used_at) WHERE successor_sealed IS NOT NULL",

  `CREATE TABLE signing_keys (
    id TEXT PRIMARY KEY NOT NULL,
    sealed BLOB NOT NULL,
    created_at TEXT NOT NULL,
    retires_at TEXT
  ) STRICT, WITHOUT ROWID`,

  `CREATE TABLE tickets (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    sealed BLOB NOT NULL,
    expires_at TEXT NOT NULL,
    PRIMARY KEY (kind, name)
  ) STRICT, WITHOUT ROWID`,
  "CREATE INDEX tickets_by_end ON tickets (expires_at)"
]

export const sessions = Effect.flatMap(SqlClient, (sql) =>
  Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })
)
