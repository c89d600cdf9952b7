/**
 * What must not be taken over from a backup: the world has gone on since.
 *
 * Tasks need nothing here: to the server that starts next, those that ran are tasks of a former life, which it takes
 * up again from their checkpoints.
 */
import type { SqliteClient } from "@effect/sql-sqlite-node/SqliteClient"
import { Effect } from "effect"

/**
 * In one transaction: a new name for the log, since clients may have seen events that are not in it any more; and the
 * end of every session, since one that was ended, or a refresh token that was used up, after the backup would be good
 * again. Access tokens of scripts stay: they are revoked by name.
 */
export const makeOwn = Effect.fn("makeOwn")((sql: SqliteClient, now: string) =>
  sql.withTransaction(
    Effect.gen(function* () {
      yield* sql`UPDATE meta SET value = lower(hex(randomblob(16))) WHERE key = 'epoch'`
      yield* sql`INSERT INTO meta (key, value) VALUES ('restored_at', ${now})
        ON CONFLICT (key) DO UPDATE SET value = excluded.value`
      const tables = yield* sql`SELECT name FROM sqlite_schema WHERE name = 'signing_keys'`
      // A backup of before there were sessions.
      if (tables.length === 0) return
      yield* sql`UPDATE devices SET revoked_at = ${now} WHERE kind = 'session' AND revoked_at IS NULL`
      yield* sql`DELETE FROM refresh_tokens`
      yield* sql`DELETE FROM signing_keys`
      yield* sql`DELETE FROM tickets`
    })
  )
)
