import { expect, it } from "@effect/vitest"
import { Effect, Option, Schedule, Stream } from "effect"
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { GitStore, type StoreKey } from "../../src/services/GitStore.ts"
import { CommitId } from "../../src/services/Ids.ts"
import { at, author, leftovers, packOf, scene } from "../support/forge.ts"
import { commitFiles, git, gitText } from "../support/gitRepository.ts"
import { gitStoreLayer, owner } from "../support/gitStore.ts"

/** A data directory that outlives the servers in it, and the one repository that they have there. */
const lasting = Effect.gen(function* () {
  const dataDir = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "errand-lasting-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const repositories = join(dataDir, "repositories")
  const repository = Effect.sync(() => join(repositories, readdirSync(repositories)[0] ?? ""))
  return { dataDir, repository }
})

it.scopedLive("forgets what is under a name, and only that", () =>
  Effect.gen(function* () {
    const { base, forged, key, store } = yield* scene()
    const commit = yield* commitFiles(forged, { "a.txt": "two\n" })
    const pack = yield* packOf(forged, commit, base)
    const other = yield* commitFiles(forged, { "a.txt": "three\n" })
    const otherPack = yield* packOf(forged, other, commit)
    const keep = (name: string) => store.receive(key, { name, commit, expected: null }, pack)
    const keepOther = (name: string) => store.receive(key, { name, commit: other, expected: null }, otherPack)
    for (const name of ["one/1", "one/2", "one-more/1", "two"]) yield* keep(name)
    yield* store.commit(key, { tree: commit, parents: [], message: "m", at, keep: "one", author })
    yield* store.forget(key, "one")
    yield* store.forget(key, "one")
    yield* keepOther("one/1")
    expect(yield* Effect.flip(keepOther("one-more/1"))).toMatchObject({ _tag: "PackRefused" })
    yield* store.forget(key, "two")
    yield* keepOther("two")
    yield* store.forget({ owner, url: "/nowhere" }, "one")
    yield* store.forget(key, "*")
    expect(yield* Effect.exit(keep("../../escape"))).toMatchObject({ _tag: "Failure" })
  }).pipe(Effect.provide(gitStoreLayer({ allowLocal: true })))
)

it.scopedLive("forgets also where the caller may not be interrupted", () =>
  Effect.gen(function* () {
    const { base, forged, key, store } = yield* scene()
    const commit = yield* commitFiles(forged, { "a.txt": "two\n" })
    yield* store.receive(key, { name: "one", commit, expected: null }, yield* packOf(forged, commit, base))
    const forgotten = Effect.uninterruptible(store.forget(key, "one"))
    yield* Effect.disconnect(forgotten).pipe(Effect.timeout("5 seconds"))
    expect(yield* store.hasCommit(key, base)).toBe(true)
  }).pipe(Effect.provide(gitStoreLayer({ allowLocal: true })))
)

it.scopedLive("packs what has piled up, and loses nothing that is kept", () =>
  Effect.gen(function* () {
    const place = yield* lasting
    yield* Effect.gen(function* () {
      const { base, forged, key, store } = yield* scene()
      const keep = (name: string, commit: CommitId, have: CommitId) =>
        Effect.flatMap(packOf(forged, commit, have), (pack) =>
          store.receive(key, { name, commit, expected: null }, pack)
        )
      let tip = base
      for (let round = 0; round < 5; round++) {
        const some = Array.from({ length: 80 }, (_, index) => [`${round}/${index}`, `${round} ${index}\n`] as const)
        const next = yield* commitFiles(forged, Object.fromEntries(some))
        yield* keep(`task/${round}`, next, tip)
        tip = next
      }
      const delivered = yield* store.commit(key, { tree: tip, parents: [base], message: "m", at, keep: "task", author })
      // As many small checkpoints leave them behind: one by one, and kept.
      const path = yield* place.repository
      yield* git(path, ["config", "fastimport.unpackLimit", "1000"])
      const single = Object.fromEntries(Array.from({ length: 400 }, (_, index) => [`${index}`, `single ${index}\n`]))
      yield* commitFiles(path, single, { branch: "keep/many/checkpoint" })
      expect(yield* gitText(path, ["count-objects"])).not.toMatch(/^0 objects/)
      yield* store.fetch(key, Option.none())
      const packed = Effect.filterOrFail(
        Effect.flatMap(place.repository, (path) => gitText(path, ["count-objects"])),
        (counted: string) => counted.startsWith("0 objects")
      )
      yield* Effect.retry(packed, { times: 100, schedule: Schedule.spaced("50 millis") })
      expect(yield* store.hasCommit(key, delivered)).toBe(true)
      expect((yield* store.diff(key, base, tip)).files).toHaveLength(400)
    }).pipe(Effect.provide(gitStoreLayer({ allowLocal: true, looseObjects: 1, dataDir: place.dataDir })))
  })
)

it.scopedLive("clears away what a killed server has left", () =>
  Effect.gen(function* () {
    const place = yield* lasting
    const life = gitStoreLayer({ allowLocal: true, dataDir: place.dataDir })
    const { base, forged, key } = yield* Effect.provide(scene(), life)
    const repository = yield* place.repository
    const folders = ["objects/incoming-x1y2z3", "objects/tmp_objdir-incoming-x1y2z3/17", "objects/pack/tmp_pack_x1"]
    const locks = ["packed-refs.lock", "refs/heads/keep/task/1/checkpoint.lock"]
    for (const folder of [...folders, "refs/heads/keep/task/1"])
      mkdirSync(join(repository, folder), { recursive: true })
    for (const lock of locks) writeFileSync(join(repository, lock), "")
    yield* Effect.gen(function* () {
      const store = yield* GitStore
      const commit = yield* commitFiles(forged, { "a.txt": "two\n" })
      expect((yield* leftovers).length).toBeGreaterThan(4)
      yield* store.receive(key, { name: "task/1", commit, expected: null }, yield* packOf(forged, commit, base))
      expect(yield* leftovers).toEqual([])
    }).pipe(Effect.provide(life))
  })
)

it.scopedLive("has nothing of a repository that it never fetched", () =>
  Effect.gen(function* () {
    const store = yield* GitStore
    const key: StoreKey = { owner, url: "https://example.com/never.git" }
    const commit = CommitId.make("1".repeat(40))
    expect(yield* store.hasCommit(key, commit)).toBe(false)
    expect(yield* store.sameTree(key, commit, commit)).toBe(false)
    expect(yield* store.readFile(key, commit, "a", 10)).toEqual(Option.none())
    expect(yield* Effect.flip(store.diff(key, null, commit))).toMatchObject({ _tag: "PackRefused" })
    expect(yield* Effect.flip(Stream.runDrain(store.patch(key, null, commit)))).toMatchObject({ _tag: "PackRefused" })
    const kept = store.receive(key, { name: "task", commit, expected: null }, Stream.empty)
    expect(yield* Effect.flip(kept)).toMatchObject({ _tag: "PackRefused" })
  }).pipe(Effect.provide(gitStoreLayer({ allowLocal: true })))
)
