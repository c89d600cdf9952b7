/** Objects as a hostile sandbox or remote would make them: what they may cost, and what is told of them. */
import { expect, layer } from "@effect/vitest"
import { Chunk, Effect, Option, Stream } from "effect"
import { randomBytes } from "node:crypto"
import { CommitId } from "../../src/services/Ids.ts"
import {
  hashObject,
  leftovers,
  packOf,
  packOfObjects,
  rawCommit,
  rawTree,
  scene,
  storeBytes
} from "../support/forge.ts"
import { commitFiles } from "../support/gitRepository.ts"
import { gitStoreLayer } from "../support/gitStore.ts"
import { commitOf, delta, deltaOf, entry, idOf, packWith, repeats } from "../support/rawPack.ts"

const MiB = 2 ** 20

const mode = { file: "100644", folder: "40000" } as const
const treeOf = (entries: ReadonlyArray<readonly [string, string, string]>) =>
  Buffer.concat(
    entries.flatMap(([kind, name, id]) => [Buffer.from(`${kind} ${name}\0`, "latin1"), Buffer.from(id, "hex")])
  )

/** A commit on `parent` whose files are in folders in folders. */
const nested = (depth: number, parent: string) => {
  const blob = Buffer.from("x")
  const entries = [entry("blob", blob)]
  let below: readonly [string, string] = [mode.file, idOf("blob", blob)]
  for (let level = 0; level < depth; level++) {
    const tree = treeOf([[below[0], "d", below[1]]])
    entries.push(entry("tree", tree))
    below = [mode.folder, idOf("tree", tree)]
  }
  const commit = commitOf(below[1], parent)
  return { commit: CommitId.make(idOf("commit", commit)), pack: packWith([...entries, entry("commit", commit)]) }
}

layer(gitStoreLayer({ allowLocal: true }), { excludeTestServices: true })("objects of a hostile sandbox", (it) => {
  // Seen to fail with receive.fsckObjects and transfer.fsckObjects off.
  it.scoped("are named when they are refused", () =>
    Effect.gen(function* () {
      const { base, forged, receive } = yield* scene()
      const url = (text: string) => hashObject(forged, "blob", `[submodule "x"]\n\tpath = x\n\turl = ${text}\n`)
      const blob = yield* hashObject(forged, "blob", "x")
      const folder = yield* rawTree(forged, [[mode.file, "config", blob]])
      const modules = yield* url("-u./payload")
      const inModules = yield* rawTree(forged, [[mode.file, ".gitmodules", modules]])
      const dotGit = yield* rawTree(forged, [[mode.folder, ".GIT", folder]])
      const refused = Effect.fnUntraced(function* (tree: string) {
        const commit = yield* rawCommit(forged, tree, base)
        return yield* Effect.flip(receive(commit, yield* packOfObjects(forged, [commit, tree, folder, blob, modules])))
      })
      expect(yield* refused(inModules)).toMatchObject({
        object: modules,
        detail: "git's checks refuse disallowed submodule url: -u./payload"
      })
      expect(yield* refused(dotGit)).toMatchObject({ object: dotGit, detail: "git's checks refuse contains '.git'" })
    })
  )

  // Seen to fail without `receive.unpackLimit`: 480 MiB are written out of a pack of one.
  it.scoped("take no more space than the pack that they came in", () =>
    Effect.gen(function* () {
      const { base, key, store } = yield* scene()
      const seed = randomBytes(60_000)
      const long = Array.from({ length: 24 }, (_, n) => deltaOf(seed, [...repeats(seed.length, 350), [n, 1000 + n]]))
      const tree = treeOf([
        ["100644", "a", idOf("blob", seed)],
        ...long.map(({ id }, n) => ["100644", `b${String(n).padStart(2, "0")}`, id] as const)
      ])
      const commit = commitOf(idOf("tree", tree), base)
      const id = CommitId.make(idOf("commit", commit))
      const entries = [entry("blob", seed), ...long.map(({ bytes }) => delta(idOf("blob", seed), bytes))]
      const pack = packWith([...entries, entry("tree", tree), entry("commit", commit)])
      expect(pack.length).toBeLessThan(MiB)
      const before = yield* storeBytes
      yield* store.receive(key, { name: "task/1", commit: id, expected: null }, pack)
      expect(yield* store.hasCommit(key, id)).toBe(true)
      expect((yield* storeBytes) - before).toBeLessThan(2 * MiB)
    })
  )

  // Seen to fail with a report of git that says nothing of the commit taken for a good one.
  it.scoped("are not believed about their number", () =>
    Effect.gen(function* () {
      const { base, receive } = yield* scene()
      const commit = commitOf("1".repeat(40), base)
      const lie = Stream.make(packWith([entry("commit", commit)], 0xffff_ffff))
      expect((yield* Effect.flip(receive(idOf("commit", commit), lie)))._tag).toBe("PackRefused")
      expect(yield* leftovers).toEqual([])
    })
  )

  // Seen to fail with a report of git that says nothing of the commit taken for a good one: what killed git passes for sound.
  it.scoped("may be nested deeply, or are refused; either way the server lives", () =>
    Effect.gen(function* () {
      for (const depth of [200, 5_000, 60_000]) {
        const { base, key, receive, store } = yield* scene()
        const { commit, pack } = nested(depth, base)
        const taken = yield* Effect.option(receive(commit, Stream.make(pack)))
        expect([depth, Option.isSome(taken)]).toEqual([depth, depth < 60_000])
        if (Option.isNone(taken)) continue
        const patterns = yield* store.changedPaths(key, base, commit, ["**/Jenkinsfile"])
        expect(patterns).toEqual([])
        const { files } = yield* store.diff(key, base, commit)
        expect(files.length).toBe(3)
        expect(files.some(({ path }) => path.length === 2 * depth - 1)).toBe(true)
        expect(Chunk.size(yield* Stream.runCollect(store.pack(key, [commit], [base])))).toBeGreaterThan(0)
      }
      expect(yield* leftovers).toEqual([])
    })
  )

  // Seen to fail without the bound on files of a difference.
  it.scoped(
    "may be a million in one folder",
    () =>
      Effect.gen(function* () {
        const { base, key, receive, store } = yield* scene()
        const blob = Buffer.from("x")
        const id = idOf("blob", blob)
        const names = Array.from({ length: 1_000_000 }, (_, n) => String(n).padStart(7, "0"))
        const tree = treeOf(names.map((name) => [mode.file, name, id] as const))
        const commit = commitOf(idOf("tree", tree), base)
        const head = CommitId.make(idOf("commit", commit))
        yield* receive(head, Stream.make(packWith([entry("blob", blob), entry("tree", tree), entry("commit", commit)])))
        const { files, truncated } = yield* store.diff(key, base, head)
        expect([files.length, truncated]).toEqual([3_000, true])
        expect(yield* store.changedPaths(key, base, head, ["**/Jenkinsfile"])).toEqual([])
      }).pipe(Effect.provide(gitStoreLayer({ allowLocal: true }))),
    180_000
  )

  // Seen to fail without the time limit of `changedPaths` and of differences: there are ten thousand million files.
  it.scoped("may stand for more files than can be listed", () =>
    Effect.gen(function* () {
      const { base, key, receive, store } = yield* scene()
      const blob = Buffer.from("x")
      const entries = [entry("blob", blob)]
      let below: readonly [string, string] = [mode.file, idOf("blob", blob)]
      for (let level = 0; level < 10; level++) {
        const tree = treeOf(Array.from({ length: 10 }, (_, n) => [below[0], `d${n}`, below[1]] as const))
        entries.push(entry("tree", tree))
        below = [mode.folder, idOf("tree", tree)]
      }
      const commit = commitOf(below[1], base)
      const head = CommitId.make(idOf("commit", commit))
      yield* receive(head, Stream.make(packWith([...entries, entry("commit", commit)])))
      expect(yield* Effect.flip(store.diff(key, base, head))).toMatchObject({ _tag: "PackRefused" })
      expect(yield* Effect.flip(store.changedPaths(key, base, head, ["**/Jenkinsfile"]))).toMatchObject({
        _tag: "PackRefused"
      })
      expect(yield* store.changedPaths(key, base, head, [".github/workflows"])).toEqual([])
    }).pipe(Effect.provide(gitStoreLayer({ allowLocal: true, diffTime: "2 seconds" })))
  )

  // Seen to fail without `-z` in the list of differences.
  it.scoped("may have any name that git itself takes", () =>
    Effect.gen(function* () {
      const { base, forged, key, receive, store } = yield* scene()
      const names = ["CON", "a\nb", "a\u001b[31m", "x".repeat(4_000), " --output=x", "a\tb", "\u202egnp.exe", "a\\b"]
      const commit = yield* commitFiles(forged, Object.fromEntries(names.map((name) => [name, "1\n"])))
      yield* receive(commit, yield* packOf(forged, commit, base))
      const { files } = yield* store.diff(key, base, commit)
      expect(files.map(({ path }) => path).toSorted()).toEqual(names.toSorted())
      for (const { id, path } of files) {
        const found = Option.getOrThrow(yield* store.fileDiff(key, base, commit, id))
        expect([path, found.hunks.length]).toEqual([path, 1])
      }
      expect(yield* Stream.runCount(store.patch(key, base, commit))).toBeGreaterThan(0)
    })
  )
})
