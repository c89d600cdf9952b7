/**
 * The database: one file, one connection, migrated before anybody reads it.
 *
 * Owns: opening the file, its pragmas, bringing its tables up to date.
 * Does not own: transactions (`TransactionSqlite.ts`), what the tables mean (the adapters).
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Migrator from "@effect/sql/Migrator"
import { SqlClient } from "@effect/sql/SqlClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Context, Effect, Layer, Option, Schema, type Scope } from "effect"
import { join } from "node:path"
import { AppConfig } from "../services/AppConfig.ts"
import { backupBeforeMigration } from "./backup/beforeMigration.ts"
import { DataDir, isLockedByOther, lock } from "./DataDirLock.ts"
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

/** A server of an older version works on the file: its tables must not change under it. */
export class DatabaseInUse extends Schema.TaggedError<DatabaseInUse>()("DatabaseInUse", {
  file: Schema.String,
  found: Schema.Int,
  known: Schema.Int
}) {
  override get message() {
    return `${this.file} has schema ${this.found}, this version of Errand needs ${this.known}, and a server of an older version runs on it. Stop that one first; the new server updates the database when it starts.`
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

/** The schema of a database, 0 for one without any. */
export const foundSchema = Effect.fnUntraced(function* (sql: SqlClient) {
  const tables = yield* sql`SELECT name FROM sqlite_schema WHERE name = ${migrationTable}`
  if (tables.length === 0) return 0
  const rows = yield* sql<{ found: number }>`SELECT coalesce(max(migration_id), 0) AS found FROM ${sql(migrationTable)}`
  return rows[0]?.found ?? 0
})

/** The schema of a database that a server may be writing to, as it is. */
export const schemaIn = (file: string) =>
  Effect.scoped(
    Effect.flatMap(SqliteClient.make({ filename: file, readonly: true, disableWAL: true }), foundSchema)
  ).pipe(
    // @effect-diagnostics-next-line strictEffectProvide:off -- nobody else listens to its changes
    Effect.provide(Reactivity.layer)
  )

const migrate = Migrator.make({})({ loader: Migrator.fromRecord(migrations), table: migrationTable })

/** What SQLite itself said, under the wrappings of those who passed it on. */
const detailOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : detailOf(error.cause)
}

/** What it takes to change the tables of a file that may be in use. */
type Alone = Effect.Effect<void, DatabaseUnusable | "busy", Scope.Scope>

interface Options {
  readonly alone?: Alone
  /** Checkpoints are left to Litestream: after one that it did not make it would have to send everything again. */
  readonly replicated?: boolean
}

const open = Effect.fnUntraced(function* (file: string, { alone = Effect.void, replicated = false }: Options) {
  const sql = yield* SqliteClient.make({ filename: file })
  for (const pragma of pragmas) yield* sql.unsafe(`PRAGMA ${pragma}`)
  if (replicated) yield* sql`PRAGMA wal_autocheckpoint = 0`
  const found = yield* foundSchema(sql)
  if (found > knownSchema) return yield* new DatabaseTooNew({ file, found, known: knownSchema })
  const update = Effect.provideService(migrate, SqlClient, sql)
  if (found === 0 || found === knownSchema) yield* update
  else {
    yield* alone.pipe(
      Effect.catchIf(
        (error) => error === "busy",
        () => new DatabaseInUse({ file, found, known: knownSchema })
      ),
      Effect.zipRight(backupBeforeMigration(sql, file, found)),
      Effect.zipRight(update),
      Effect.scoped
    )
  }
  // SQLite waits for locks with the whole process: from here on transactions wait by themselves (`TransactionSqlite.ts`).
  yield* sql`PRAGMA busy_timeout = 10`
  return Context.make(SqliteClient.SqliteClient, sql).pipe(Context.add(SqlClient, sql))
})

type Refusal = DatabaseInUse | DatabaseTooNew | DatabaseUnusable

/** The database in a file of this name; `:memory:` is one that nobody else sees. */
export const layerFile = (
  file: string,
  options: Options = {}
): Layer.Layer<SqlClient | SqliteClient.SqliteClient, Refusal> => {
  const unusable = (error: unknown) => Effect.fail(new DatabaseUnusable({ file, detail: detailOf(error) }))
  return open(file, options).pipe(
    Effect.catchTags({ SqlError: unusable, MigrationError: unusable, BadArgument: unusable, SystemError: unusable }),
    Effect.catchAllDefect(unusable),
    Layer.scopedContext,
    Layer.provide([Reactivity.layer, NodeFileSystem.layer])
  )
}

export const layerMemory = layerFile(":memory:")

/** Where a server with this data directory has its database. */
export const fileIn = (directory: string) => join(directory, "errand.db")

/** The database of this server, in the directory that it has for its own. */
export const layer = Layer.unwrapEffect(
  Effect.map(Effect.all([DataDir, AppConfig]), ([{ path }, { litestreamUrl }]) =>
    layerFile(fileIn(path), { replicated: Option.isSome(litestreamUrl) })
  )
)

/** The same database for a command, beside a server that may be running. */
export const layerShared = Layer.unwrapEffect(
  Effect.gen(function* () {
    const { dataDir, litestreamUrl } = yield* AppConfig
    const files = yield* FileSystem.FileSystem
    const file = fileIn(dataDir)
    yield* files
      .makeDirectory(dataDir, { recursive: true, mode: 0o700 })
      .pipe(Effect.mapError((error) => new DatabaseUnusable({ file, detail: error.message })))
    const alone: Alone = lock(dataDir).pipe(
      Effect.mapError((error) =>
        isLockedByOther(error) ? "busy" : new DatabaseUnusable({ file, detail: detailOf(error) })
      ),
      // @effect-diagnostics-next-line strictEffectProvide:off -- nobody else listens to its changes
      Effect.provide(Reactivity.layer)
    )
    return layerFile(file, { alone, replicated: Option.isSome(litestreamUrl) })
  })
)
