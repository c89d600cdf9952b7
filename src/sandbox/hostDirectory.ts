/** Directories on this host that stand in for sandboxes: made empty, and removed with all that runs in them. */
import { FileSystem } from "@effect/platform"
import type { PlatformError } from "@effect/platform/Error"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { killMarked } from "./stragglers.ts"

const remove = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  yield* killMarked(path)
  // Modules of Go and others are read-only: their directories must be opened before they can be emptied.
  const allow = Effect.async<void>((resume) => {
    execFile("chmod", ["-R", "u+rwX", "--", path], { timeout: 30_000, env: { PATH: "/usr/bin:/bin" } }, () =>
      resume(Effect.void)
    )
  })
  const removing = files.remove(path, { recursive: true, force: true })
  yield* Effect.catchAll(removing, () => Effect.zipRight(allow, removing))
})

/** `root` for the work tree, `home` and `tmp` beside it; all gone when the scope closes. */
export const make = (work: string, name: string) =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      yield* files.makeDirectory(work, { recursive: true, mode: 0o700 })
      const path = yield* files.realPath(yield* files.makeTempDirectory({ directory: work, prefix: `${name}.` }))
      yield* Effect.forEach(["root", "home", "tmp"], (part) => files.makeDirectory(join(path, part)))
      return path
    }),
    (path) =>
      remove(path).pipe(
        Effect.timeout("30 seconds"),
        Effect.catchAll((error) => Effect.logWarning(`The sandbox ${path} could not be removed`, error))
      )
  )

/** Removes every directory in `work`, and says how many. */
export const removeAll = (work: string): Effect.Effect<number, PlatformError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    if (!(yield* files.exists(work))) return 0
    const names = yield* files.readDirectory(work)
    yield* Effect.forEach(names, (name) => remove(join(work, name)))
    return names.length
  })
