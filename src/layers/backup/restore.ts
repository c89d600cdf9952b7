/**
 * From a backup to a data directory that a server can start on.
 *
 * Owns: taking a copy out of what kind of source there is, checking it, and putting it into place whole or not at all.
 * Does not own: when a server must not run meanwhile (its caller holds the lock of the directory).
 */
import { FileSystem } from "@effect/platform"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { DateTime, Effect, Schema } from "effect"
import { join, resolve } from "node:path"
import { fileIn } from "../Sqlite.ts"
import { makeOwn } from "./afterRestore.ts"
import { databaseName, digestOf, Manifest, manifestName, repositoriesName } from "./backup.ts"
import { stamp } from "./beforeMigration.ts"
import { BackupUnusable, checkDatabase } from "./checkDatabase.ts"
import { ownerOnly, settle } from "./copyDatabase.ts"
import { fetchReplica } from "./fetchReplica.ts"
import { unbundle } from "./repositoryBundles.ts"

/** What a database consists of while it is in use. */
const parts = ["-wal", "-shm", ""] as const

const decodeManifest = Schema.decodeUnknown(Schema.parseJson(Manifest))

/** Checks a backup against its manifest, and gives the names of its repositories. */
const readBackup = Effect.fnUntraced(function* (source: string) {
  const files = yield* FileSystem.FileSystem
  const unusable = (detail: string) => new BackupUnusable({ source, detail })
  const text = yield* files
    .readFileString(join(source, manifestName))
    .pipe(Effect.mapError(() => unusable(`it has no ${manifestName}: the backup was never finished`)))
  const manifest = yield* decodeManifest(text).pipe(
    Effect.mapError(() => unusable(`its ${manifestName} can't be understood`))
  )
  for (const { path, sha256 } of manifest.files) {
    const name = resolve(source, path)
    if (!name.startsWith(`${resolve(source)}/`)) return yield* unusable(`${path} is not inside of it`)
    const found = yield* Effect.mapError(digestOf(name), () => unusable(`${path} is missing`))
    if (found !== sha256) return yield* unusable(`${path} is not what was written`)
  }
  return manifest.files.map(({ path }) => path).filter((path) => path.startsWith(`${repositoriesName}/`))
})

const isReplica = (source: string) => /^[a-z][a-z0-9+.-]*:\/\//.test(source) || /\.ya?ml$/.test(source)

/** Puts a copy of what the source holds into `draft`, checked, and gives what else there is to restore. */
const stage = Effect.fnUntraced(function* (source: string, file: string, draft: string) {
  const files = yield* FileSystem.FileSystem
  for (const part of parts) yield* files.remove(`${draft}${part}`, { force: true })
  let repositories: ReadonlyArray<string> = []
  if (isReplica(source)) yield* fetchReplica(source, file, draft)
  else {
    const info = yield* Effect.mapError(
      files.stat(source),
      () => new BackupUnusable({ source, detail: "it is not there" })
    )
    const database = info.type === "Directory" ? join(source, databaseName) : source
    if (info.type === "Directory") repositories = yield* readBackup(source)
    for (const part of ["", "-wal"]) {
      if (yield* files.exists(`${database}${part}`)) yield* files.copyFile(`${database}${part}`, `${draft}${part}`)
    }
  }
  yield* files.chmod(draft, ownerOnly.file)
  const unusable = (detail: string) => new BackupUnusable({ source, detail })
  const found = yield* Effect.scoped(
    Effect.gen(function* () {
      const sql = yield* SqliteClient.make({ filename: draft })
      const found = yield* checkDatabase(sql, source)
      yield* makeOwn(sql, DateTime.formatIso(yield* DateTime.now))
      yield* sql`PRAGMA wal_checkpoint(TRUNCATE)`
      return found
    })
  ).pipe(
    Effect.catchTag("SqlError", ({ cause }) => unusable(cause instanceof Error ? cause.message : String(cause))),
    Effect.catchAllDefect((defect) => unusable(defect instanceof Error ? defect.message : String(defect)))
  )
  return { ...found, repositories }
})

/** Restores into a temporary place and gives what was found there: the proof that it can be done. One at a time. */
export const prove = Effect.fn("prove")(function* (source: string, dataDir: string) {
  const files = yield* FileSystem.FileSystem
  const directory = join(dataDir, "proof")
  const clear = files.remove(directory, { recursive: true, force: true })
  // What a proof that was killed has left.
  yield* clear
  yield* files.makeDirectory(directory, { mode: ownerOnly.directory })
  return yield* Effect.ensuring(
    stage(source, fileIn(dataDir), join(directory, databaseName)),
    Effect.ignoreLogged(clear)
  )
})

/** Puts the backup into the place of what is there; that is kept in `backups/` and named in the answer. */
export const restore = Effect.fn("restore")(function* (source: string, dataDir: string) {
  const files = yield* FileSystem.FileSystem
  const file = fileIn(dataDir)
  const draft = `${file}.restoring`
  const { repositories, ...found } = yield* stage(source, file, draft)
  for (const bundle of repositories) yield* unbundle(resolve(source, bundle), join(dataDir, repositoriesName))
  const aside = join(dataDir, "backups", `before-restore-${stamp(yield* DateTime.now)}.db`)
  const replaced = yield* files.exists(file)
  yield* files.makeDirectory(join(dataDir, "backups"), { recursive: true, mode: ownerOnly.directory })
  yield* Effect.uninterruptible(
    Effect.gen(function* () {
      // The log goes first: a new database must never find the log of another.
      for (const part of parts) {
        if (yield* files.exists(`${file}${part}`)) yield* files.rename(`${file}${part}`, `${aside}${part}`)
      }
      yield* files.remove(join(dataDir, `.${databaseName}-litestream`), { recursive: true, force: true })
      yield* files.rename(draft, file)
      for (const part of ["-wal", "-shm"]) yield* files.remove(`${draft}${part}`, { force: true })
      yield* settle(dataDir)
    })
  )
  return { ...found, repositories: repositories.length, replaced: replaced ? aside : null }
})
