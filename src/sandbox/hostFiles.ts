/** Files of a directory on this host: reading and replacing regular files, never outside of the directory. */
import { Effect, Random } from "effect"
import { constants, type Stats } from "node:fs"
import { access, mkdir, open, realpath, rename, rm, stat } from "node:fs/promises"
import { basename, dirname, join, resolve, sep } from "node:path"
import { type FileContent, SandboxFileError } from "../services/Sandbox.ts"
import { fileError, fileLimit, tooLarge } from "./fileErrors.ts"

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "unknown"

const attempt = <A>(path: string, operation: () => Promise<A>): Effect.Effect<A, SandboxFileError> =>
  Effect.tryPromise({ try: operation, catch: (error) => fileError(path, codeOf(error)) })

const isWithin = (root: string, path: string) => path === root || path.startsWith(root + sep)

/** Where `path` leads once links are followed; what does not exist yet is under its nearest existing directory. */
const follow = (path: string): Effect.Effect<string, SandboxFileError> =>
  attempt(path, () => realpath(path)).pipe(
    Effect.catchIf(
      (error) => error.reason === "not_found" && dirname(path) !== path,
      () => Effect.map(follow(dirname(path)), (directory) => join(directory, basename(path)))
    )
  )

const locate = Effect.fnUntraced(function* (root: string, path: string) {
  if (path.includes("\0")) return yield* fileError(path, "ENOENT")
  // A directory that was removed must not come back by being written to.
  yield* attempt(path, () => access(root))
  const target = yield* Effect.mapError(follow(resolve(root, path)), (error) => renamed(error, path))
  return isWithin(root, target) ? target : yield* fileError(path, "EACCES")
})

const renamed = ({ detail, reason }: SandboxFileError, path: string) => new SandboxFileError({ path, reason, detail })

const requireFile = (path: string, info: Stats) =>
  info.isFile() ? Effect.void : fileError(path, info.isDirectory() ? "EISDIR" : "ENXIO")

const openFile = (path: string, target: string, flags: string | number, mode?: number) =>
  Effect.acquireRelease(
    attempt(path, () => open(target, flags, mode)),
    (file) => Effect.promise(() => file.close())
  )

/** `root` has no symbolic link in it. */
export const readFile = Effect.fnUntraced(function* (
  root: string,
  path: string,
  range: { readonly offset: number; readonly limit: number }
) {
  const target = yield* locate(root, path)
  // Opening a named pipe would wait for who writes to it.
  const file = yield* openFile(path, target, constants.O_RDONLY | constants.O_NONBLOCK)
  const info = yield* attempt(path, () => file.stat())
  yield* requireFile(path, info)
  const wanted = Math.max(0, Math.min(range.limit, fileLimit, info.size - range.offset))
  const bytes = new Uint8Array(wanted)
  const { bytesRead } = yield* attempt(path, () => file.read(bytes, 0, wanted, range.offset))
  const content: FileContent = { bytes: bytes.subarray(0, bytesRead), size: info.size }
  return content
}, Effect.scoped)

const newFileMode = 0o644

/** Written aside and moved into place: other processes see the old file or the new one. */
export const writeFile = Effect.fnUntraced(function* (root: string, path: string, bytes: Uint8Array) {
  if (bytes.length > fileLimit) return yield* tooLarge(path, bytes.length)
  const target = yield* locate(root, path)
  const former = yield* attempt(path, () => stat(target)).pipe(
    Effect.catchIf(
      (error) => error.reason === "not_found",
      () => Effect.succeed(undefined)
    )
  )
  if (former !== undefined) yield* requireFile(path, former)
  yield* attempt(path, () => mkdir(dirname(target), { recursive: true }))
  const draft = join(dirname(target), `.errand-${yield* Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER)}`)
  const write = Effect.gen(function* () {
    const file = yield* openFile(path, draft, "wx", newFileMode)
    if (former !== undefined) yield* attempt(path, () => file.chmod(former.mode & 0o777))
    yield* attempt(path, () => file.writeFile(bytes))
  })
  yield* Effect.scoped(write).pipe(
    Effect.zipRight(attempt(path, () => rename(draft, target))),
    Effect.onError(() => Effect.promise(() => rm(draft, { force: true })))
  )
})
