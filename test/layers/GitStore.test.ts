import { expect, layer } from "@effect/vitest"
import { Chunk, Effect, Fiber, Option, Stream } from "effect"
import { randomBytes } from "node:crypto"
import { CommitId } from "../../src/services/Ids.ts"
import {
  at,
  author,
  hashObject,
  leftovers,
  objectsIn,
  packOf,
  packOfObjects,
  rawCommit,
  rawTree,
  scene
} from "../support/forge.ts"
import { commitFiles, git, gitText } from "../support/gitRepository.ts"
import { gitStoreLayer } from "../support/gitStore.ts"

const MiB = 2 ** 20

layer(gitStoreLayer({ allowLocal: true, receiveBytes: 8 * MiB, receiveMemory: 60 * MiB }), {
  excludeTestServices: true
})("GitStore", (it) => {
  it.scoped("takes a commit with everything it needs, and keeps it", () =>
    Effect.gen(function* () {
      const { base, forged, key, receive, store } = yield* scene()
      const commit = yield* commitFiles(forged, { "a.txt": "two\n" })
      yield* receive(commit, yield* packOf(forged, commit, base))
      expect(yield* store.hasCommit(key, commit)).toBe(true)
      expect(yield* store.sameTree(key, base, commit)).toBe(false)
      expect(yield* store.readFile(key, commit, "a.txt", 100)).toEqual(Option.some(Buffer.from("two\n")))
      const next = yield* commitFiles(forged, { "a.txt": "three\n" })
      yield* receive(next, yield* packOf(forged, next, commit), commit)
      expect(yield* store.hasCommit(key, next)).toBe(true)
    })
  )

  it.scoped("takes the same commit again when the first answer was lost", () =>
    Effect.gen(function* () {
      const { base, forged, receive } = yield* scene()
      const commit = yield* commitFiles(forged, { "a.txt": "two\n" })
      yield* receive(commit, yield* packOf(forged, commit, base))
      yield* receive(commit, yield* packOf(forged, commit, base))
    })
  )

  it.scoped("does not move a ref that is not where it is expected to be", () =>
    Effect.gen(function* () {
      const { base, forged, receive } = yield* scene()
      const commit = yield* commitFiles(forged, { "a.txt": "two\n" })
      yield* receive(commit, yield* packOf(forged, commit, base))
      const other = yield* commitFiles(forged, { "a.txt": "three\n" })
      const pack = yield* packOf(forged, other, base)
      expect(yield* Effect.flip(receive(other, pack))).toMatchObject({ _tag: "PackRefused" })
      expect(yield* Effect.flip(receive(other, pack, base))).toMatchObject({ _tag: "PackRefused" })
    })
  )

  // Seen to fail with receive.fsckObjects and transfer.fsckObjects off.
  it.scoped("refuses trees that would harm who checks them out", () =>
    Effect.gen(function* () {
      const { base, forged, key, receive, store } = yield* scene()
      const blob = yield* hashObject(forged, "blob", "[core]\n\tfsmonitor = touch /tmp/x\n")
      const modules = yield* hashObject(forged, "blob", '[submodule "x"]\n\tpath = x\n\turl = -u./payload\n')
      const folder = yield* rawTree(forged, [["100644", "config", blob]])
      const trees: ReadonlyArray<readonly [string, ReadonlyArray<readonly [string, string, string]>]> = [
        [".git", [["40000", ".git", folder]]],
        [".GIT", [["40000", ".GIT", folder]]],
        ["git~1", [["40000", "git~1", folder]]],
        ["invisible", [["40000", ".g\u00e2\u0080\u008cit", folder]]],
        ["dots", [["40000", "..", folder]]],
        ["dot", [["40000", ".", folder]]],
        ["slash", [["100644", "a/../../b", blob]]],
        ["empty", [["100644", "", blob]]],
        [
          "duplicate",
          [
            ["100644", "a", blob],
            ["100644", "a", blob]
          ]
        ],
        [
          "order",
          [
            ["100644", "b", blob],
            ["100644", "a", blob]
          ]
        ],
        [
          "modules",
          [
            ["100644", ".gitmodules", modules],
            ["160000", "x", base]
          ]
        ],
        ["modules link", [["120000", ".gitmodules", blob]]]
      ]
      for (const [what, entries] of trees) {
        const tree = yield* rawTree(forged, entries)
        const commit = yield* rawCommit(forged, tree, base)
        const pack = yield* packOfObjects(forged, [commit, tree, folder, blob, modules])
        const failure = yield* Effect.flip(receive(commit, pack))
        expect([what, failure._tag]).toEqual([what, "PackRefused"])
        expect(yield* store.hasCommit(key, CommitId.make(commit))).toBe(false)
      }
      expect(yield* leftovers).toEqual([])
    })
  )

  // Seen to fail with a report of git that says nothing of the commit taken for a good one.
  it.scoped("refuses what is not whole, not a commit, or not a pack", () =>
    Effect.gen(function* () {
      const { base, forged, key, receive, store } = yield* scene()
      const commit = yield* commitFiles(forged, { "a.txt": "two\n" })
      const tree = yield* gitText(forged, ["rev-parse", `${commit}^{tree}`])
      const whole = yield* git(forged, ["pack-objects", "--revs", "--stdout", "-q"], `${commit}\n^${base}\n`)
      const commitOnly = yield* git(forged, ["pack-objects", "--stdout", "-q"], `${commit}\n`)
      const nothing = yield* git(forged, ["pack-objects", "--stdout", "-q"], "")
      const other = yield* commitFiles(forged, { "c.txt": "c\n" }, { branch: "other" })
      const damaged = Buffer.from(whole)
      damaged[40] = (damaged[40] ?? 0) ^ 255
      const bad: ReadonlyArray<readonly [string, string, Uint8Array]> = [
        ["cut", commit, whole.subarray(0, whole.length - 10)],
        ["cut at once", commit, whole.subarray(0, 6)],
        ["empty", commit, Buffer.alloc(0)],
        ["damaged", commit, damaged],
        ["no pack", commit, Buffer.from("PACK of cigarettes")],
        ["no files", commit, commitOnly],
        ["nothing", commit, nothing],
        ["commands", commit, Buffer.from("0000")],
        ["another commit", other, whole],
        ["a tree", tree, whole]
      ]
      for (const [what, id, bytes] of bad) {
        const failure = yield* Effect.flip(receive(id, Stream.make(new Uint8Array(bytes))))
        expect([what, failure._tag]).toEqual([what, "PackRefused"])
        expect(failure.message).toMatch(/^[^\n]{5,400}$/)
        expect([what, yield* store.hasCommit(key, CommitId.make(id))]).toEqual([what, false])
      }
      expect(yield* leftovers).toEqual([])
    })
  )

  // Seen to fail without `bounded` and receive.maxInputSize.
  it.scoped("stops a pack that is too large, and one that breaks off", () =>
    Effect.gen(function* () {
      const { base, forged, key, receive, store } = yield* scene()
      const commit = yield* commitFiles(forged, { "a.txt": "two\n" })
      const head = (yield* git(forged, ["pack-objects", "--revs", "--stdout", "-q"], `${commit}\n^${base}\n`)).subarray(
        0,
        30
      )
      const start = Stream.make(new Uint8Array(head))
      const large = yield* commitFiles(forged, { "noise.bin": randomBytes(9 * MiB) }, { branch: "large" })
      expect((yield* Effect.flip(receive(large, yield* packOf(forged, large, null)))).message).toBe(
        "the pack is larger than 8 MiB"
      )
      const broken = Stream.concat(start, Stream.fail("the sandbox is gone" as const))
      const cut = store.receive(key, { name: "task/1", commit, expected: null }, broken)
      expect(yield* Effect.flip(cut)).toBe("the sandbox is gone")
      const interrupted = yield* Effect.fork(receive(commit, Stream.concat(start, Stream.never)))
      yield* Effect.sleep("200 millis")
      yield* Fiber.interrupt(interrupted)
      expect(yield* leftovers).toEqual([])
      yield* receive(commit, yield* packOf(forged, commit, base))
    })
  )

  it.scoped("stops a pack that never ends", () =>
    Effect.gen(function* () {
      const { base, forged, receive } = yield* scene()
      const commit = yield* commitFiles(forged, { "a.txt": "two\n" })
      const slow = Stream.concat(yield* packOf(forged, commit, base), Stream.never)
      yield* receive(commit, slow)
      const never = Effect.flip(receive(yield* commitFiles(forged, { "a.txt": "3\n" }), Stream.never, commit))
      expect((yield* never).message).toContain("too long")
      expect(yield* leftovers).toEqual([])
    }).pipe(Effect.provide(gitStoreLayer({ allowLocal: true, receiveTime: "3 seconds" })))
  )

  // Seen to fail without the limit of memory, and with big files held like others.
  it.scoped("does not hold in memory what inflates from little", () =>
    Effect.gen(function* () {
      const { base, forged, key, receive, store } = yield* scene()
      const zeros = Buffer.alloc(64 * MiB)
      const commit = yield* commitFiles(forged, { "zeros.bin": zeros })
      yield* receive(commit, yield* packOf(forged, commit, base))
      const { files: changed } = yield* store.diff(key, base, commit)
      expect(changed).toMatchObject([{ path: "zeros.bin", binary: true }])
      const tree = yield* hashObject(forged, "tree", zeros)
      const bomb = yield* rawCommit(forged, tree, base)
      const pack = yield* packOfObjects(forged, [bomb, tree])
      expect((yield* Effect.flip(receive(bomb, pack, commit))).message).toMatch(/memory/)
    })
  )

  it.scoped("makes the same commit from the same words, however late", () =>
    Effect.gen(function* () {
      const { base, key, store } = yield* scene()
      const spec = { tree: base, parents: [base], message: "words\u0000 of\n\nmine", at, keep: "task", author }
      const one = yield* store.commit(key, spec)
      yield* Effect.sleep("1100 millis")
      expect(yield* store.commit(key, spec)).toBe(one)
      expect(yield* store.commit(key, { ...spec, at: "2026-01-02T03:04:06.000Z" })).not.toBe(one)
      expect(yield* store.sameTree(key, one, base)).toBe(true)
      const odd = { ...spec, author: { name: "\n<>", email: "a\u0000>\n" }, message: "" }
      expect(yield* store.hasCommit(key, yield* store.commit(key, odd))).toBe(true)
      const unknown = CommitId.make("1".repeat(40))
      expect(yield* Effect.flip(store.commit(key, { ...spec, tree: unknown }))).toMatchObject({ _tag: "PackRefused" })
    })
  )

  it.scoped("reads regular files of a commit, and nothing else", () =>
    Effect.gen(function* () {
      const { base, key, store } = yield* scene({
        "a b.txt": "12345",
        "dir/run": { mode: "100755", data: "#!" },
        link: { mode: "120000", data: "/etc/passwd" },
        lib: { mode: "160000", data: "1".repeat(40) },
        ":(top)x": "odd",
        "*": "star"
      })
      const read = (path: string, limit = 100) =>
        Effect.map(store.readFile(key, base, path, limit), (found) =>
          Option.getOrNull(Option.map(found, (bytes) => Buffer.from(bytes).toString()))
        )
      expect(yield* read("a b.txt")).toBe("12345")
      expect(yield* read("a b.txt", 3)).toBe("123")
      expect(yield* read("a b.txt", 5)).toBe("12345")
      expect(yield* read("dir/run")).toBe("#!")
      expect(yield* read(":(top)x")).toBe("odd")
      expect(yield* read("*")).toBe("star")
      for (const path of [
        "link",
        "lib",
        "dir",
        "dir/",
        "/a b.txt",
        "../a",
        "",
        "--x",
        "none",
        "./a b.txt",
        "a\u0000b"
      ]) {
        expect([path, yield* read(path)]).toEqual([path, null])
      }
      expect(yield* store.readFile(key, CommitId.make("1".repeat(40)), "a", 1)).toEqual(Option.none())
    })
  )

  it.scoped("packs what is wanted and not had", () =>
    Effect.gen(function* () {
      const { base, forged, key, receive, store } = yield* scene()
      const commit = yield* commitFiles(forged, { "a.txt": "two\n" })
      yield* receive(commit, yield* packOf(forged, commit, base))
      const bytes = (want: ReadonlyArray<CommitId>, have: ReadonlyArray<CommitId>) =>
        Effect.map(Stream.runCollect(store.pack(key, want, have)), (chunks) =>
          Buffer.concat(Chunk.toReadonlyArray(chunks))
        )
      expect(objectsIn(yield* bytes([commit, base], []))).toBe(7)
      expect(objectsIn(yield* bytes([commit], [base]))).toBe(3)
      expect(objectsIn(yield* bytes([base], [commit]))).toBe(0)
      const unknown = CommitId.make("1".repeat(40))
      expect(yield* Effect.flip(bytes([unknown], []))).toMatchObject({ _tag: "RemoteFailed", retryable: false })
    })
  )
})
