/**
 * Whether a copy of a database is one that a server can go on with.
 */
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Effect, Schema } from "effect"
import { foundSchema, knownSchema } from "../Sqlite.ts"

/** What should be restored can't be: it is damaged, incomplete, of a later version, or not there. */
export class BackupUnusable extends Schema.TaggedError<BackupUnusable>()("BackupUnusable", {
  source: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.source} can't be restored: ${this.detail}. Nothing was changed; try another backup.`
  }
}

/** The newest event by the order in which events were stored. */
export interface NewestEvent {
  readonly position: number
  readonly at: string
}

const newestEvent = (sql: SqliteClient.SqliteClient) =>
  Effect.map(
    sql<NewestEvent>`SELECT rowid AS position, at FROM events ORDER BY rowid DESC LIMIT 1`,
    ([newest]): NewestEvent => newest ?? { position: 0, at: "" }
  )

/** The newest event of a database that a server may be writing to. */
export const newestEventIn = (file: string) =>
  Effect.scoped(Effect.flatMap(SqliteClient.make({ filename: file, readonly: true, disableWAL: true }), newestEvent))

/** When the first event after a position was stored; null when there is none. */
export const firstEventAfter = (file: string, position: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const sql = yield* SqliteClient.make({ filename: file, readonly: true, disableWAL: true })
      const [first] = yield* sql<{ at: string }>`SELECT at FROM events WHERE rowid > ${position} ORDER BY rowid LIMIT 1`
      return first?.at ?? null
    })
  )

/** Fails unless every page, reference and stream of the database is sound, and this version knows its schema. */
export const checkDatabase = Effect.fn("checkDatabase")(function* (sql: SqliteClient.SqliteClient, source: string) {
  const unusable = (detail: string) => new BackupUnusable({ source, detail })
  const schema = yield* foundSchema(sql)
  if (schema === 0) return yield* unusable("it is no database of Errand")
  if (schema > knownSchema) {
    return yield* unusable(
      `it has schema ${schema}, this version of Errand knows ${knownSchema}; restore it with the version that made it`
    )
  }
  const pages = yield* sql<{ integrity_check: string }>`PRAGMA integrity_check(1)`
  if (pages[0]?.integrity_check !== "ok") return yield* unusable(`it is damaged (${pages[0]?.integrity_check})`)
  const references = yield* sql<{ table: string }>`PRAGMA foreign_key_check`
  if (references.length > 0) return yield* unusable(`rows of ${references[0]?.table} refer to what is not there`)
  const streams = yield* sql<{ name: string }>`
    SELECT name FROM streams LEFT JOIN events ON stream = name
    GROUP BY name HAVING head <> count(seq) OR head <> coalesce(max(seq), 0) LIMIT 1`
  if (streams.length > 0) return yield* unusable(`events of ${streams[0]?.name} are missing`)
  return { schema, newest: yield* newestEvent(sql) }
})
