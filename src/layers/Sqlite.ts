/**
 * The database: one file, one connection, migrated before anybody reads it.
 *
 * Owns: opening the file, its pragmas, bringing its tables up to date.
 * Does not own: transactions (`TransactionSqlite.ts`), what the tables mean (the adapters).
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Migrator from "@effect/sql/Migrator"
import { SqlClient } from "@effect/sql/SqlClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Context, Effect, Layer, Schema } from "effect"
import { join } from "node:path"
import { AppConfig } from "../services/AppConfig.ts"
import { DataDir } from "./DataDirLock.ts"
import { migrations } from "./migrations/all.ts"

/** The file was written by a later version of Errand, whose tables this one does not understand. */
export class DatabaseTooNew extends Schema.TaggedError<DatabaseTooNew>()("DatabaseTooNew", {
  file: Schema.String,
  found: Schema.Int,
  known: Schema.Int
}) {
  override get message() {
    return `${this.file} has schema ${this.found}; this version of Errand knows ${this.known}. Start the newer version, or restore a backup made before the update.`
  }
}

/** The file can't be opened, is not a database, or could not be brought up to date; it is as it was. */
export class DatabaseUnusable extends Schema.TaggedError<DatabaseUnusable>()("DatabaseUnusable", {
  file: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `The database ${this.file} can't be used: ${this.detail}. Check the data directory, its owner and its free space.`
  }
}

/** The newest schema that this version knows. */
export const knownSchema = Math.max(...Object.keys(migrations).map((key) => Number.parseInt(key, 10)))

const pragmas = [
  "synchronous = NORMAL",
  "foreign_keys = ON",
  "busy_timeout = 250",
  "temp_store = MEMORY",
  // What a burst of writes, or a long reader, let the log grow to is given back to the disk afterwards.
  "journal_size_limit = 67108864"
]

const migrationTable = "effect_sql_migrations"

const foundSchema = Effect.fnUntraced(function* (sql: SqlClient) {
  const tables = yield* sql`SELECT name FROM sqlite_schema WHERE name = ${migrationTable}`
  if (tables.length === 0) return 0
  const rows = yield* sql<{ found: number }>`SELECT coalesce(max(migration_id), 0) AS found FROM ${sql(migrationTable)}`
  return rows[0]?.found ?? 0
})

const migrate = Migrator.make({})({ loader: Migrator.fromRecord(migrations), table: migrationTable })

/** What SQLite itself said, under the wrappings of those who passed it on. */
const detailOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : detailOf(error.cause)
}

const open = Effect.fnUntraced(function* (file: string) {
  const sql = yield* SqliteClient.make({ filename: file })
  for (const pragma of pragmas) yield* sql.unsafe(`PRAGMA ${pragma}`)
  const found = yield* foundSchema(sql)
  if (found > knownSchema) return yield* new DatabaseTooNew({ file, found, known: knownSchema })
  yield* Effect.provideService(migrate, SqlClient, sql)
  // SQLite waits for locks with the whole process: from here on transactions wait by themselves (`TransactionSqlite.ts`).
  yield* sql`PRAGMA busy_timeout = 10`
  return Context.make(SqliteClient.SqliteClient, sql).pipe(Context.add(SqlClient, sql))
})

/** The database in a file of this name; `:memory:` is one that nobody else sees. */
export const layerFile = (
  file: string
): Layer.Layer<SqlClient | SqliteClient.SqliteClient, DatabaseTooNew | DatabaseUnusable> => {
  const unusable = (error: unknown) => Effect.fail(new DatabaseUnusable({ file, detail: detailOf(error) }))
  return open(file).pipe(
    Effect.catchTags({ SqlError: unusable, MigrationError: unusable }),
    Effect.catchAllDefect(unusable),
    Layer.scopedContext,
    Layer.provide(Reactivity.layer)
  )
}

export const layerMemory = layerFile(":memory:")

const fileIn = (directory: string) => join(directory, "errand.db")

/** The database of this server, in the directory that it has for its own. */
export const layer = Layer.unwrapEffect(Effect.map(DataDir, ({ path }) => layerFile(fileIn(path))))

/** The same database for a command, beside a server that may be running. */
export const layerShared = Layer.unwrapEffect(
  Effect.gen(function* () {
    const { dataDir } = yield* AppConfig
    const files = yield* FileSystem.FileSystem
    const file = fileIn(dataDir)
    yield* files
      .makeDirectory(dataDir, { recursive: true, mode: 0o700 })
      .pipe(Effect.mapError((error) => new DatabaseUnusable({ file, detail: error.message })))
    return layerFile(file)
  })
)
