/**
 * What must not be taken over from a backup: the world has gone on since.
 *
 * Tasks need nothing here: to the server that starts next, those that ran are tasks of a former life, which it takes
 * up again from their checkpoints.
 */
import type { SqliteClient } from "@effect/sql-sqlite-node/SqliteClient"
import { Effect } from "effect"

/** A token that was used up, rotated or revoked after the backup would be good again. */
const forgotten: ReadonlyArray<readonly [table: string, statement: string]> = [
  ["sessions", "DELETE FROM sessions"],
  ["refresh_tokens", "DELETE FROM refresh_tokens"],
  ["pairings", "DELETE FROM pairings"]
]

/** In one transaction: a new name for the log, since clients may have seen events that are not in it any more. */
export const makeOwn = Effect.fn("makeOwn")((sql: SqliteClient, now: string) =>
  sql.withTransaction(
    Effect.gen(function* () {
      yield* sql`UPDATE meta SET value = lower(hex(randomblob(16))) WHERE key = 'epoch'`
      yield* sql`INSERT INTO meta (key, value) VALUES ('restored_at', ${now})
        ON CONFLICT (key) DO UPDATE SET value = excluded.value`
      const tables = new Set((yield* sql<{ name: string }>`SELECT name FROM sqlite_schema`).map(({ name }) => name))
      for (const [table, statement] of forgotten) if (tables.has(table)) yield* sql.unsafe(statement)
    })
  )
)
