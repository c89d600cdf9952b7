/**
 * The bare repositories on disk: where each is, who may write to it, how it is made and kept tidy.
 */
import { FileSystem } from "@effect/platform"
import { Effect, FiberMap, RcMap } from "effect"
import { createHash } from "node:crypto"
import { join } from "node:path"
import type { StoreKey } from "../../services/GitStore.ts"
import { safe, settings } from "./environment.ts"
import type { Limits } from "./limits.ts"
import type { Git } from "./process.ts"

/** Private refs are branches, because git lets a branch name nothing but a commit. */
export const keepRef = (name: string) => `refs/heads/keep/${name}`

/** Names of private refs: words divided by slashes. */
const keepName = /^[A-Za-z0-9_-]{1,64}(?:\/[A-Za-z0-9_-]{1,64}){0,3}$/

export const isKeepName = (name: string) => keepName.test(name)

export type ObjectFormat = "sha1" | "sha256"

export type Repositories = Effect.Effect.Success<ReturnType<typeof makeRepositories>>

export const makeRepositories = Effect.fnUntraced(function* (git: Git, directory: string, limits: Limits) {
  const files = yield* FileSystem.FileSystem
  const locks = yield* RcMap.make({ lookup: (_path: string) => Effect.makeSemaphore(1) })
  const tidyArgs = [
    ...safe,
    ...settings({ "gc.auto": limits.looseObjects, "gc.autoDetach": false }),
    "gc",
    "--auto",
    "--quiet"
  ]
  const tidying = yield* FiberMap.make<string, void, never>()
  const oneTidies = yield* Effect.makeSemaphore(1)
  const known = new Set<string>()

  const pathOf = ({ owner, url }: StoreKey) =>
    join(directory, `${createHash("sha256").update(`${owner}\n${url}`).digest("hex")}.git`)

  const exists = (path: string) => Effect.orDie(files.exists(join(path, "HEAD")))

  const list = (folder: string, recursive = false) =>
    files.readDirectory(folder, { recursive }).pipe(
      Effect.orElseSucceed((): Array<string> => []),
      Effect.map((names) => names.map((name) => join(folder, name)))
    )

  const remove = (names: ReadonlyArray<string>) =>
    Effect.forEach(names, (name) => Effect.ignoreLogged(files.remove(name, { recursive: true, force: true })))

  /** Removes objects that a git left half received when it was stopped. Packing, if it goes on now, begins again later. */
  const sweep = Effect.fnUntraced(function* (path: string) {
    const objects = join(path, "objects")
    yield* remove([
      ...(yield* list(objects)).filter((name) => /\/(?:tmp_objdir-)?incoming-\w+$/.test(name)),
      ...(yield* list(join(objects, "pack"))).filter((name) => /\/\.?tmp[-_][^/]*$/.test(name))
    ])
  })

  /** Removes locks and half written objects of a former life as well; nothing of this one has begun. */
  const sweepAll = Effect.fnUntraced(function* (path: string) {
    yield* sweep(path)
    yield* remove([
      ...(yield* list(join(path, "objects"), true)).filter((name) => /\/[0-9a-f]{2}\/tmp_obj_[^/]+$/.test(name)),
      ...(yield* list(path)).filter((name) => name.endsWith(".lock") || name.endsWith("/gc.pid")),
      ...(yield* list(join(path, "refs"), true)).filter((name) => name.endsWith(".lock"))
    ])
  })

  /** Nobody else writes to the repository meanwhile. */
  const exclusively = <A, E, R>(path: string, effect: Effect.Effect<A, E, R>) =>
    Effect.scoped(
      Effect.gen(function* () {
        const lock = yield* RcMap.get(locks, path)
        return yield* lock.withPermits(1)(
          Effect.gen(function* () {
            if (!known.has(path)) yield* sweepAll(path)
            known.add(path)
            return yield* effect
          })
        )
      })
    )

  /** Makes the repository if it is missing, whole or not at all. */
  const create = Effect.fnUntraced(function* (path: string, format: ObjectFormat) {
    if (yield* exists(path)) return
    const draft = `${path}.new`
    yield* files.remove(draft, { recursive: true, force: true })
    yield* files.makeDirectory(directory, { recursive: true, mode: 0o700 })
    const { exitCode, stderr } = yield* git.run({
      args: [
        ...safe,
        "init",
        "--bare",
        "--quiet",
        "--template=",
        "--initial-branch=none",
        `--object-format=${format}`,
        draft
      ],
      timeout: "20 seconds",
      outputLimit: 4096
    })
    if (exitCode !== 0) return yield* Effect.dieMessage(`git could not make a repository: ${stderr}`)
    yield* files.rename(draft, path)
  }, Effect.orDie)

  /** Packs what has become too many loose objects, in the background; nothing waits for it. */
  const tidy = (path: string) =>
    git
      .run({
        args: tidyArgs,
        repository: path,
        timeout: "10 minutes",
        outputLimit: 65_536,
        saysLittle: true,
        rlimits: { memory: limits.fetchMemory }
      })
      .pipe(
        oneTidies.withPermits(1),
        Effect.catchAllCause((cause) => Effect.logWarning("a repository could not be packed", cause)),
        Effect.asVoid,
        FiberMap.run(tidying, path, { onlyIfMissing: true }),
        Effect.asVoid
      )

  return { pathOf, exists, exclusively, sweep, create, tidy }
})
