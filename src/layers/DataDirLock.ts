/**
 * One data directory, one server.
 *
 * The lock is an exclusive transaction on a database of its own, `lock.db`: the operating system lets go of it when the
 * process dies, however it dies. Nothing else may open that file, because closing it anywhere in this process would
 * give the lock away.
 *
 * Owns: the directory, the lock on it, and the name of the server that lives in it.
 * Does not own: what is kept in the directory.
 */
import { Reactivity } from "@effect/experimental"
import { FileSystem } from "@effect/platform"
import type { SqlError } from "@effect/sql/SqlError"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Context, Effect, Layer, Predicate, Schedule, Schema } from "effect"
import { join } from "node:path"
import { AppConfig } from "../services/AppConfig.ts"
import { Ids } from "../services/Ids.ts"
import { readOrMake } from "./keptFile.ts"

/** Another server works on this directory. */
export class DataDirInUse extends Schema.TaggedError<DataDirInUse>()("DataDirInUse", { path: Schema.String }) {
  override get message() {
    return `Another Errand server uses the data directory ${this.path}. Stop it, or give this one a directory of its own with ERRAND_DATA_DIR.`
  }
}

/** The directory can't be made, read or written. */
export class DataDirUnusable extends Schema.TaggedError<DataDirUnusable>()("DataDirUnusable", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `The data directory ${this.path} can't be used: ${this.detail}. Make it writable for this user, or name another with ERRAND_DATA_DIR.`
  }
}

/** Whoever has this service may take the directory for their own: no other server uses it. */
export class DataDir extends Context.Tag("errand/layers/DataDirLock")<
  DataDir,
  {
    readonly path: string
    /** Names this directory's server for ever, for instance in the labels of its containers. */
    readonly serverId: string
  }
>() {}

/** Another process holds the lock. */
export const isLockedByOther = (error: SqlError): boolean =>
  Predicate.hasProperty(error.cause, "code") && error.cause.code === "SQLITE_BUSY"

/** Takes the lock of a directory until the scope closes; waits for it only as long as a schedule says. */
export const lock = Effect.fnUntraced(function* (
  path: string,
  patience: Schedule.Schedule<unknown, SqlError> = Schedule.stop
) {
  const sql = yield* SqliteClient.make({ filename: join(path, "lock.db"), disableWAL: true })
  // SQLite would wait with the whole process.
  yield* sql.unsafe("PRAGMA busy_timeout = 0").raw
  yield* Effect.retry(sql.unsafe("BEGIN EXCLUSIVE").raw, { while: isLockedByOther, schedule: patience })
})

export const layer: Layer.Layer<DataDir, DataDirInUse | DataDirUnusable, AppConfig | Ids | FileSystem.FileSystem> =
  Layer.scoped(
    DataDir,
    Effect.gen(function* () {
      const path = (yield* AppConfig).dataDir
      const files = yield* FileSystem.FileSystem
      const ids = yield* Ids
      const unusable = (error: Error) => new DataDirUnusable({ path, detail: error.message })
      yield* files
        .makeDirectory(path, { recursive: true, mode: 0o700 })
        .pipe(Effect.zipRight(files.access(path, { readable: true, writable: true })), Effect.mapError(unusable))
      yield* lock(path).pipe(
        Effect.mapError((error) => (isLockedByOther(error) ? new DataDirInUse({ path }) : unusable(error)))
      )
      const serverId = yield* readOrMake(join(path, "server-id"), ids.plain).pipe(Effect.mapError(unusable))
      return { path, serverId }
    })
  ).pipe(Layer.provide(Reactivity.layer))
