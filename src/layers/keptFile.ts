/** Small files that are made once and kept for ever. */
import { FileSystem } from "@effect/platform"
import type { PlatformError } from "@effect/platform/Error"
import { Effect } from "effect"

/** For the owner alone. */
const mode = 0o600

/** Written aside and moved into place, so that a crash leaves the whole file or none. */
export const replaceKept = Effect.fnUntraced(function* (path: string, text: string) {
  const files = yield* FileSystem.FileSystem
  const draft = `${path}.new`
  yield* files.remove(draft, { force: true })
  yield* Effect.scoped(
    Effect.gen(function* () {
      const file = yield* files.open(draft, { flag: "wx", mode })
      yield* file.writeAll(new TextEncoder().encode(`${text}\n`))
      yield* file.sync
    })
  )
  yield* files.rename(draft, path)
  return text
})

const read = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  const text = yield* files.readFileString(path)
  const info = yield* files.stat(path)
  if ((info.mode & 0o077) !== 0) {
    yield* Effect.logWarning(`${path} was open to other users of this machine; it is closed to them now.`)
    yield* files.chmod(path, mode)
  }
  return text.trim()
})

/** The text of a file, which is made by `make` when it is missing. Only for who holds the lock of its directory. */
export const readOrMake = (
  path: string,
  make: Effect.Effect<string>
): Effect.Effect<string, PlatformError, FileSystem.FileSystem> =>
  read(path).pipe(
    Effect.catchIf(
      (error) => error._tag === "SystemError" && error.reason === "NotFound",
      () => Effect.flatMap(make, (text) => replaceKept(path, text))
    )
  )
