/** Commits, trees and packs as a hostile sandbox would make them. */
import { Effect, Stream } from "effect"
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DataDir } from "../../src/layers/DataDirLock.ts"
import { GitStore } from "../../src/services/GitStore.ts"
import { CommitId } from "../../src/services/Ids.ts"
import { type FileSpec, git, gitText, makeBare } from "./gitRepository.ts"
import { remoteWith } from "./workplace.ts"

export const author = { name: "E", email: "e@x" }
export const at = "2026-01-02T03:04:05.000Z"
const someFiles = { "a.txt": "one\n", "b.txt": "b\n" }

/** A repository as a sandbox has it, made from the remote, in which everything can be forged. */
const forge = (remote: string) =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "errand-forge-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    )
    const path = join(folder, "forged.git")
    yield* makeBare(path)
    yield* git(path, [
      "-c",
      "protocol.file.allow=always",
      "fetch",
      "--quiet",
      remote,
      "refs/heads/main:refs/heads/main"
    ])
    return path
  })

export const packOf = (path: string, want: string, have: string | null) =>
  Effect.map(
    git(
      path,
      ["pack-objects", "--revs", "--stdout", "-q", "--thin"],
      have === null ? `${want}\n` : `${want}\n^${have}\n`
    ),
    (bytes): Stream.Stream<Uint8Array> => Stream.make(new Uint8Array(bytes))
  )

/** A pack of just these objects. */
export const packOfObjects = (path: string, ids: ReadonlyArray<string>) =>
  Effect.map(
    git(path, ["pack-objects", "--stdout", "-q"], ids.map((id) => `${id}\n`).join("")),
    (bytes): Stream.Stream<Uint8Array> => Stream.make(new Uint8Array(bytes))
  )

export const hashObject = (path: string, type: string, content: Uint8Array | string) =>
  gitText(path, ["hash-object", "-t", type, "-w", "--literally", "--stdin"], content)

/** A tree with entries that git's own commands would not make. */
export const rawTree = (path: string, entries: ReadonlyArray<readonly [mode: string, name: string, id: string]>) =>
  hashObject(
    path,
    "tree",
    Buffer.concat(
      entries.map(([mode, name, id]) =>
        Buffer.concat([Buffer.from(`${mode} ${name}\0`, "latin1"), Buffer.from(id, "hex")])
      )
    )
  )

export const rawCommit = (path: string, tree: string, parent: string) =>
  gitText(path, ["-c", "user.name=a", "-c", "user.email=a", "commit-tree", "-p", parent, "-m", "x", tree])

export const objectsIn = (pack: Buffer) => pack.readUInt32BE(8)

/** What is left of packs that were not taken: quarantines, temporary files, locks. */
export const leftovers = Effect.map(DataDir, ({ path }) =>
  readdirSync(path, { recursive: true, encoding: "utf8" }).filter((name) => /tmp_|incoming|\.lock$/.test(name))
)

/** A store with a repository, and a forge that begins with the same commit. */
export const scene = (content: Readonly<Record<string, FileSpec>> = someFiles) =>
  Effect.gen(function* () {
    const store = yield* GitStore
    const { base, key, path: remote } = yield* remoteWith(content)
    const forged = yield* forge(remote)
    const first = CommitId.make(base ?? "")
    const receive = (commit: string, pack: Stream.Stream<Uint8Array>, expected: CommitId | null = null) =>
      store.receive(key, { name: "task/1", commit: CommitId.make(commit), expected }, pack)
    return { store, key, base: first, forged, receive }
  })

/** Bytes on disk of the whole data directory, from which files go while it is looked at. */
export const storeBytes = Effect.map(DataDir, ({ path }) =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { name, parentPath }) => {
      const found = statSync(join(parentPath, name), { throwIfNoEntry: false })
      return sum + (found?.size ?? 0)
    }, 0)
)
