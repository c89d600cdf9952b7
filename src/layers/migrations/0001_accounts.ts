/**
 * Users, their devices and credentials, and the answers to requests with an `Idempotency-Key`.
 *
 * Times are text, RFC 3339 in UTC with milliseconds; lists and headers are JSON.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"

const tables = [
  // Logins differ in more than case, as they do at the forges they come from.
  `CREATE TABLE users (
    id TEXT PRIMARY KEY NOT NULL,
    login TEXT NOT NULL UNIQUE COLLATE NOCASE,
    role TEXT NOT NULL,
    created_at TEXT NOT NULL
  ) STRICT`,

  // Of a token only the SHA-256 is kept.
  `CREATE TABLE devices (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    scopes TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL,
    last_seen_at TEXT,
    revoked_at TEXT
  ) STRICT`,
  "CREATE INDEX devices_by_user ON devices (user_id, created_at)",

  `CREATE TABLE git_credentials (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    host TEXT NOT NULL,
    kind TEXT NOT NULL,
    sealed BLOB NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (user_id, host)
  ) STRICT, WITHOUT ROWID`,

  `CREATE TABLE idempotency_keys (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    created_at TEXT NOT NULL,
    status INTEGER NOT NULL,
    headers TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (user_id, key)
  ) STRICT`,
  "CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at)"
]

export const accounts = Effect.flatMap(SqlClient, (sql) =>
  Effect.forEach(tables, (statement) => sql.unsafe(statement), { discard: true })
)
