/**
 * Budgets, the limit of money that paused a task, and what was spent by day.
 *
 * `daily_usage` adds up `usage` as it grows: sums over months of work read hundreds of rows and not hundreds of thousands,
 * so they may be asked for while everybody else waits for the database. A trigger keeps it, so that the two can't differ.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"

const sums = ["input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cost_usd"]

const statements = [
  "ALTER TABLE tasks ADD COLUMN paused_limit TEXT",
  "ALTER TABLE tasks ADD COLUMN paused_needed_usd REAL",

  // `repository_url` is empty where the budget is not for one repository: NULL would not be unique.
  `CREATE TABLE budgets (
    owner TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    repository_url TEXT NOT NULL,
    period TEXT NOT NULL,
    limit_usd REAL NOT NULL,
    PRIMARY KEY (owner, kind, repository_url)
  ) STRICT, WITHOUT ROWID`,

  `CREATE TABLE daily_usage (
    owner TEXT NOT NULL,
    day TEXT NOT NULL,
    task_id TEXT NOT NULL,
    model TEXT NOT NULL,
    repository_url TEXT NOT NULL,
    responses INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    cost_usd REAL NOT NULL,
    PRIMARY KEY (owner, day, task_id, model)
  ) STRICT, WITHOUT ROWID`,

  `INSERT INTO daily_usage
    SELECT owner, day, task_id, model, min(repository_url), count(*), ${sums.map((sum) => `sum(${sum})`).join(", ")}
    FROM usage GROUP BY owner, day, task_id, model`,

  `CREATE TRIGGER usage_by_day AFTER INSERT ON usage BEGIN
    INSERT INTO daily_usage
      VALUES (new.owner, new.day, new.task_id, new.model, new.repository_url, 1, ${sums.map((sum) => `new.${sum}`).join(", ")})
      ON CONFLICT (owner, day, task_id, model) DO UPDATE SET
        responses = responses + 1, ${sums.map((sum) => `${sum} = ${sum} + excluded.${sum}`).join(", ")};
  END`,

  // Sums come from the days now; every step paid for this.
  "DROP INDEX usage_by_owner"
]

export const budgets = Effect.flatMap(SqlClient, (sql) =>
  Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })
)
