/** A store with one repository in it, and sandboxes of the `process` adapter to work on it. */
import { Effect, Layer, Logger, LogLevel, Option, type Scope } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { collect, layOut, snapshot } from "../../src/agent/workspace.ts"
import * as SandboxProcess from "../../src/layers/SandboxProcess.ts"
import { GitStore, type StoreKey } from "../../src/services/GitStore.ts"
import { type CommitId, TaskId } from "../../src/services/Ids.ts"
import { Sandbox, type SandboxHandle } from "../../src/services/Sandbox.ts"
import { commitFiles, type FileSpec, makeBare } from "./gitRepository.ts"
import { gitStoreLayer, owner } from "./gitStore.ts"

export const workplaceLayer = SandboxProcess.layer.pipe(
  Layer.provideMerge(gitStoreLayer({ allowLocal: true })),
  Layer.provideMerge(Logger.minimumLogLevel(LogLevel.Warning))
)

export const branch = "errand/some-words-1a2b"

export const openSandbox: Effect.Effect<SandboxHandle, never, Sandbox | Scope.Scope> = Effect.flatMap(
  Sandbox,
  (sandbox) =>
    Effect.orDie(
      sandbox.open({
        taskId: TaskId.make("task_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        run: 1,
        network: { mode: "open", hosts: [] }
      })
    )
)

/** A repository as a remote has it, fetched into the store. */
export const remoteWith = (files: Readonly<Record<string, FileSpec>> | null, format = "sha1") =>
  Effect.gen(function* () {
    const store = yield* GitStore
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "errand-remote-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    )
    const path = join(folder, "app.git")
    yield* makeBare(path, "main", format)
    if (files !== null) yield* commitFiles(path, files)
    const key: StoreKey = { owner, url: path }
    return { key, path, base: (yield* store.fetch(key, Option.none())).commit }
  })

export interface Workplace {
  readonly handle: SandboxHandle
  readonly key: StoreKey
  readonly base: CommitId | null
}

/** A sandbox with the repository laid out as it is at `files`, or else at its base. */
export const workOn = Effect.fnUntraced(function* (
  { base, key }: { readonly key: StoreKey; readonly base: CommitId | null },
  files: CommitId | null = base
) {
  const store = yield* GitStore
  const handle = yield* openSandbox
  const wanted = [files, base].filter((commit) => commit !== null)
  yield* layOut(handle, { branch, base, files, pack: wanted.length === 0 ? null : store.pack(key, wanted, []) })
  const place: Workplace = { handle, key, base }
  return place
})

export const workplace = (files: Readonly<Record<string, FileSpec>> | null) => Effect.flatMap(remoteWith(files), workOn)

/** Runs a shell script in the work tree as the agent would; gives its output, and dies when it fails. */
export const sh = ({ handle }: Pick<Workplace, "handle">, script: string) =>
  Effect.gen(function* () {
    const result = yield* handle.run({
      argv: ["sh", "-c", script],
      env: {
        GIT_AUTHOR_NAME: "root",
        GIT_AUTHOR_EMAIL: "root@localhost",
        GIT_COMMITTER_NAME: "root",
        GIT_COMMITTER_EMAIL: "root@localhost"
      },
      timeoutMs: 20_000,
      outputLimit: 100_000
    })
    if (result.exitCode !== 0) return yield* Effect.dieMessage(`${script}: ${result.exitCode} ${result.output}`)
    return result.output.trimEnd()
  })

/** One checkpoint: a snapshot, kept in the store; none when nothing has changed. */
export const checkpoint = Effect.fnUntraced(function* (
  { base, handle, key }: Workplace,
  { expected = null, name = "task", parent }: { parent: CommitId | null; expected?: CommitId | null; name?: string }
) {
  const store = yield* GitStore
  const origin = { branch, base, pack: parent === null ? null : store.pack(key, [parent], []) }
  const taken = yield* snapshot(handle, { parent, origin })
  if (Option.isSome(taken)) {
    const { commit } = taken.value
    yield* store.receive(key, { name, commit, expected }, yield* collect(handle, commit, parent))
  }
  return taken
})
