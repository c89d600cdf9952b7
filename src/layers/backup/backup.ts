/**
 * A backup: a directory with the database, the repositories, and `manifest.json`, which says what belongs to it.
 *
 * The key of the secrets at rest is not in it: a backup and its key should not be lost to the same thief.
 */
import { FileSystem } from "@effect/platform"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { DateTime, Effect, Schema } from "effect"
import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { join } from "node:path"
import { pipeline } from "node:stream/promises"
import { stamp } from "./beforeMigration.ts"
import { checkDatabase } from "./checkDatabase.ts"
import { copyDatabase, ownerOnly, settle } from "./copyDatabase.ts"
import { bundleAll } from "./repositoryBundles.ts"
import { fileIn } from "../Sqlite.ts"

/** `files` have paths inside of the backup; sizes are bytes. */
export const Manifest = Schema.Struct({
  format: Schema.Literal(1),
  createdAt: Schema.String,
  schema: Schema.Int,
  files: Schema.Array(Schema.Struct({ path: Schema.String, bytes: Schema.Int, sha256: Schema.String }))
})
export interface Manifest extends Schema.Schema.Type<typeof Manifest> {}

export const manifestName = "manifest.json"
export const databaseName = "errand.db"
export const repositoriesName = "repositories"

export const digestOf = (file: string) =>
  // @effect-diagnostics-next-line asyncFunction:off -- a stream of Node's, read to its end
  Effect.tryPromise(async () => {
    const hash = createHash("sha256")
    await pipeline(createReadStream(file), hash)
    return hash.digest("hex")
  })

/** Makes a backup of a data directory, also while a server runs on it, in a new directory below `target`. */
export const backup = Effect.fn("backup")(function* (
  dataDir: string,
  target: string,
  options: { readonly repositories: boolean }
) {
  const files = yield* FileSystem.FileSystem
  const moment = yield* DateTime.now
  const place = join(target, `errand-${stamp(moment)}`)
  yield* files.makeDirectory(target, { recursive: true, mode: ownerOnly.directory })
  yield* files.makeDirectory(place, { mode: ownerOnly.directory })
  const made = Effect.gen(function* () {
    const copy = join(place, databaseName)
    yield* Effect.scoped(
      Effect.flatMap(SqliteClient.make({ filename: fileIn(dataDir), readonly: true, disableWAL: true }), (sql) =>
        copyDatabase(sql, copy)
      )
    )
    const { schema } = yield* Effect.scoped(
      Effect.flatMap(SqliteClient.make({ filename: copy }), (sql) => checkDatabase(sql, copy))
    )
    // After the database: what it names is in the repositories already.
    const bundles = options.repositories
      ? yield* bundleAll(join(dataDir, repositoriesName), join(place, repositoriesName))
      : []
    const paths = [databaseName, ...bundles.map((name) => join(repositoriesName, name))]
    const described = yield* Effect.forEach(paths, (path) =>
      Effect.all({
        path: Effect.succeed(path),
        bytes: Effect.map(files.stat(join(place, path)), ({ size }) => Number(size)),
        sha256: digestOf(join(place, path))
      })
    )
    const manifest: Manifest = { format: 1, createdAt: DateTime.formatIso(moment), schema, files: described }
    const name = join(place, manifestName)
    // @effect-diagnostics-next-line preferSchemaOverJson:off -- it was made here
    yield* files.writeFileString(name, `${JSON.stringify(manifest, null, 2)}\n`, { mode: ownerOnly.file })
    yield* settle(name)
    yield* settle(place)
    return { path: place, ...manifest }
  })
  return yield* made.pipe(Effect.onError(() => Effect.ignore(files.remove(place, { recursive: true, force: true }))))
})
