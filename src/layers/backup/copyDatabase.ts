/**
 * A copy of a database that others write to meanwhile: whole and on the disk, or not there.
 */
import { FileSystem } from "@effect/platform"
import type { PlatformError } from "@effect/platform/Error"
import type { SqlError } from "@effect/sql/SqlError"
import type { SqliteClient } from "@effect/sql-sqlite-node/SqliteClient"
import { Effect } from "effect"
import { dirname } from "node:path"

/** For the owner alone: a database holds all that its users have said. */
export const ownerOnly = { directory: 0o700, file: 0o600 } as const

/** What a rename has put into place is there after a power cut too. */
export const settle = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  yield* Effect.scoped(Effect.flatMap(files.open(path, { flag: "r" }), (file) => file.sync))
})

/** Uses SQLite's online backup: writers go on, and what they commit before its end may be in it. */
export const copyDatabase = Effect.fn("copyDatabase")(function* (
  sql: SqliteClient,
  file: string
): Effect.fn.Return<void, PlatformError | SqlError, FileSystem.FileSystem> {
  const files = yield* FileSystem.FileSystem
  const draft = `${file}.part`
  yield* files.makeDirectory(dirname(file), { recursive: true, mode: ownerOnly.directory })
  yield* files.remove(draft, { force: true })
  yield* files.writeFile(draft, new Uint8Array(), { flag: "wx", mode: ownerOnly.file })
  yield* sql.backup(draft).pipe(
    Effect.zipRight(settle(draft)),
    Effect.zipRight(files.rename(draft, file)),
    Effect.zipRight(settle(dirname(file))),
    Effect.onError(() => Effect.ignore(files.remove(draft, { force: true })))
  )
})
