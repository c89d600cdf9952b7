/**
 * Tasks, everything that belongs to one, and the log of every stream.
 *
 * Times are text, RFC 3339 in UTC with milliseconds; lists and model content are JSON. Tables of long texts keep their
 * rowid: with texts of 3 kB a commit costs two thirds of what it does without (50 µs against 75), and a page of events
 * is read in as much less.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"

const tables = [
  `CREATE TABLE meta (
    key TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID`,

  // The long texts stand last: a row is read from its start, and most reads stop before them.
  `CREATE TABLE tasks (
    id TEXT PRIMARY KEY NOT NULL,
    owner TEXT NOT NULL REFERENCES users (id),
    status TEXT NOT NULL,
    phase TEXT,
    priority INTEGER NOT NULL,
    queued_at TEXT NOT NULL,
    queued_reason TEXT NOT NULL,
    start_at TEXT,
    expires_at TEXT,
    run_number INTEGER NOT NULL,
    run_started_at TEXT,
    recoveries INTEGER NOT NULL,
    turns INTEGER NOT NULL,
    worked_ms INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    cost_usd REAL NOT NULL,
    log_bytes INTEGER NOT NULL DEFAULT 0,
    max_turns INTEGER NOT NULL,
    max_cost_usd REAL NOT NULL,
    max_duration_seconds INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    started_at TEXT,
    finished_at TEXT,
    repository_url TEXT NOT NULL,
    repository_ref TEXT,
    branch TEXT NOT NULL,
    base_commit TEXT,
    head_commit TEXT,
    pushed_commit TEXT,
    delivery TEXT NOT NULL,
    pull_request_url TEXT,
    pull_request_number INTEGER,
    approvals TEXT NOT NULL,
    network_mode TEXT NOT NULL,
    network_hosts TEXT NOT NULL,
    model TEXT NOT NULL,
    tags TEXT NOT NULL,
    secrets TEXT NOT NULL,
    paused_reason TEXT,
    error_code TEXT,
    error_message TEXT,
    title TEXT NOT NULL,
    prompt TEXT NOT NULL
  ) STRICT`,
  "CREATE INDEX tasks_by_owner ON tasks (owner, created_at, id)",
  "CREATE INDEX tasks_by_status ON tasks (status, priority DESC, queued_at, id)",

  `CREATE TABLE runs (
    task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    reason TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    outcome TEXT,
    PRIMARY KEY (task_id, number)
  ) STRICT, WITHOUT ROWID`,

  `CREATE TABLE messages (
    task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    id TEXT NOT NULL,
    role TEXT NOT NULL,
    starts_over INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (task_id, position)
  ) STRICT`,

  `CREATE TABLE pending_messages (
    task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    id TEXT NOT NULL,
    mode TEXT NOT NULL,
    content TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (task_id, position)
  ) STRICT`,

  `CREATE TABLE tool_calls (
    position INTEGER PRIMARY KEY,
    task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    run INTEGER NOT NULL,
    tool TEXT NOT NULL,
    bytes INTEGER,
    is_error INTEGER,
    exit_code INTEGER,
    started_at TEXT NOT NULL,
    finished_at TEXT,
    duration_ms INTEGER,
    input TEXT NOT NULL,
    output TEXT,
    UNIQUE (task_id, id)
  ) STRICT`,

  `CREATE TABLE checkpoints (
    task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    commit_id TEXT NOT NULL,
    run INTEGER NOT NULL,
    files INTEGER NOT NULL,
    additions INTEGER NOT NULL,
    deletions INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (task_id, position)
  ) STRICT, WITHOUT ROWID`,

  `CREATE TABLE questions (
    position INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    owner TEXT NOT NULL REFERENCES users (id),
    tool_call_id TEXT,
    revision INTEGER NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    title TEXT NOT NULL,
    detail TEXT NOT NULL,
    choices TEXT NOT NULL,
    default_answer TEXT NOT NULL,
    answer TEXT,
    expires_at TEXT NOT NULL,
    created_at TEXT NOT NULL,
    closed_at TEXT
  ) STRICT`,
  "CREATE INDEX questions_by_task ON questions (task_id)",
  "CREATE INDEX questions_by_status ON questions (status, owner)",

  // No reference to tasks: what was spent stays spent when its task is deleted.
  `CREATE TABLE usage (
    task_id TEXT NOT NULL,
    response_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    repository_url TEXT NOT NULL,
    model TEXT NOT NULL,
    at TEXT NOT NULL,
    day TEXT NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    cost_usd REAL NOT NULL,
    PRIMARY KEY (task_id, response_id)
  ) STRICT, WITHOUT ROWID`,
  "CREATE INDEX usage_by_owner ON usage (owner, at)",

  `CREATE TABLE log_chunks (
    task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    start INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (task_id, start)
  ) STRICT`,

  `CREATE TABLE streams (
    name TEXT PRIMARY KEY NOT NULL,
    head INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`,

  `CREATE TABLE events (
    stream TEXT NOT NULL,
    seq INTEGER NOT NULL,
    task_id TEXT NOT NULL,
    at TEXT NOT NULL,
    type TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (stream, seq)
  ) STRICT`,

  // Contentless: the index holds words, not a second copy of every text.
  `CREATE VIRTUAL TABLE task_search USING fts5 (
    task_id UNINDEXED,
    text,
    content = '',
    contentless_delete = 1,
    contentless_unindexed = 1,
    tokenize = 'porter unicode61'
  )`,

  // Texts wait here to be indexed together: alone, each costs five times as much.
  `CREATE TABLE search_backlog (
    position INTEGER PRIMARY KEY,
    task_id TEXT NOT NULL,
    text TEXT NOT NULL
  ) STRICT`,

  "INSERT INTO meta (key, value) VALUES ('epoch', lower(hex(randomblob(16))))"
]

export const tasks = Effect.flatMap(SqlClient, (sql) =>
  Effect.forEach(tables, (statement) => sql.unsafe(statement), { discard: true })
)
