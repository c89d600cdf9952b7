/**
 * A copy of the database as it was before its tables change, beside it in `backups/`.
 */
import { FileSystem } from "@effect/platform"
import type { SqliteClient } from "@effect/sql-sqlite-node/SqliteClient"
import { DateTime, Effect } from "effect"
import { dirname, join } from "node:path"
import { copyDatabase } from "./copyDatabase.ts"

/** Copies that are kept; the oldest goes first. */
export const kept = 3

const prefix = "before-update-"

/** Sorts by time, and is a name on every file system. */
export const stamp = (moment: DateTime.Utc): string =>
  DateTime.formatIso(moment)
    .replace(/\.\d+Z$/, "Z")
    .replace(/:/g, "-")

export const backupBeforeMigration = Effect.fn("backupBeforeMigration")(function* (
  sql: SqliteClient,
  file: string,
  schema: number
) {
  const files = yield* FileSystem.FileSystem
  const directory = join(dirname(file), "backups")
  const copy = join(directory, `${prefix}${stamp(yield* DateTime.now)}-schema-${schema}.db`)
  yield* copyDatabase(sql, copy)
  yield* Effect.logInfo(`The database has an older schema (${schema}); a copy of it is kept as ${copy}.`)
  const names = (yield* files.readDirectory(directory)).filter((name) => name.startsWith(prefix)).toSorted()
  yield* Effect.forEach(names.slice(0, -kept), (name) => files.remove(join(directory, name), { force: true }))
})
