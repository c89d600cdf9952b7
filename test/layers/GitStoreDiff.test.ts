import { expect, layer } from "@effect/vitest"
import { Chunk, Effect, Option, Stream } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { GitStore } from "../../src/services/GitStore.ts"
import { CommitId } from "../../src/services/Ids.ts"
import { commitFiles, type FileSpec, git, gitText } from "../support/gitRepository.ts"
import { gitStoreLayer } from "../support/gitStore.ts"
import { remoteWith } from "../support/workplace.ts"

const lines = (count: number, from = 1) =>
  Array.from({ length: count }, (_, index) => `line ${index + from}\n`).join("")

type Files = Readonly<Record<string, FileSpec>>

/** Two commits in the store, one after the other. */
const twoCommits = (before: Files | null, after: Files) =>
  Effect.gen(function* () {
    const store = yield* GitStore
    const { base, key, path } = yield* remoteWith(before)
    const head = yield* commitFiles(path, after)
    yield* store.fetch(key, Option.none())
    return { store, key, path, base, head }
  })

const collected = <E, R>(stream: Stream.Stream<Uint8Array, E, R>) =>
  Effect.map(Stream.runCollect(stream), (chunks) => Buffer.concat(Chunk.toReadonlyArray(chunks)))

layer(gitStoreLayer({ allowLocal: true }), { excludeTestServices: true })("GitStore.diff", (it) => {
  it.scoped("tells every kind of change, counted as git counts", () =>
    Effect.gen(function* () {
      const { base, head, key, path, store } = yield* twoCommits(
        {
          modified: lines(20),
          deleted: "1\n2\n",
          "old name": lines(30),
          binary: Buffer.from([0, 1, 2]),
          kind: "plain\n",
          mode: "same\n",
          lib: { mode: "160000", data: "1".repeat(40) },
          unchanged: "x\n"
        },
        {
          modified: `${lines(10)}more\n${lines(9, 11)}`,
          deleted: null,
          "old name": null,
          "new\tname\n": `${lines(29)}another\n`,
          binary: Buffer.from([0, 3]),
          kind: { mode: "120000", data: "unchanged" },
          mode: { mode: "100755", data: "same\n" },
          lib: { mode: "160000", data: "2".repeat(40) },
          added: "no line break",
          empty: ""
        }
      )
      const { additions, deletions, files, truncated } = yield* store.diff(key, base, head)
      const told = files.map(({ additions, binary, deletions, oldPath, path, status, submodule }) =>
        [status, oldPath, path, binary ? "binary" : `+${additions}-${deletions}`, submodule ? "submodule" : ""].join(
          " "
        )
      )
      expect(told.toSorted()).toEqual(
        [
          "added  added +1-0 ",
          "modified  binary binary ",
          "deleted  deleted +0-2 ",
          "added  empty +0-0 ",
          "type_changed  kind +1-1 ",
          "modified  lib +1-1 submodule",
          "modified  mode +0-0 ",
          "modified  modified +1-1 ",
          "renamed old name new\tname\n +1-1 "
        ].toSorted()
      )
      const stat = yield* gitText(path, ["diff", "--shortstat", "-M", `${base}...${head}`])
      expect(stat).toBe(`${files.length} files changed, ${additions} insertions(+), ${deletions} deletions(-)`)
      expect(truncated).toBe(false)
      expect(new Set(files.map(({ id }) => id)).size).toBe(files.length)
      expect((yield* store.diff(key, head, head)).files).toEqual([])
    })
  )

  it.scoped("compares with where the two parted", () =>
    Effect.gen(function* () {
      const { base, head, key, path, store } = yield* twoCommits({ a: "1\n" }, { b: "mine\n" })
      yield* git(path, ["branch", "other", String(base)])
      const other = yield* commitFiles(path, { c: "theirs\n" }, { branch: "other" })
      yield* store.fetch(key, Option.some("other"))
      const { files } = yield* store.diff(key, other, head)
      expect(files.map(({ path }) => path)).toEqual(["b"])
    })
  )

  it.scoped("compares histories that have nothing in common, and with nothing at all", () =>
    Effect.gen(function* () {
      const { head, key, path, store } = yield* twoCommits(null, { a: "1\n", b: "2\n" })
      const alone = yield* commitFiles(path, { a: "1\n", c: "3\n" }, { branch: "alone" })
      yield* store.fetch(key, Option.some("alone"))
      const named = (base: CommitId | null) =>
        Effect.map(store.diff(key, base, head), ({ files }) => files.map(({ path, status }) => `${status} ${path}`))
      expect(yield* named(alone)).toEqual(["added b", "deleted c"])
      expect(yield* named(null)).toEqual(["added a", "added b"])
      expect((yield* collected(store.patch(key, alone, head))).toString()).toContain("deleted file mode")
    })
  )

  it.scoped("gives the hunks of each file", () =>
    Effect.gen(function* () {
      const { base, head, key, store } = yield* twoCommits(
        {
          code: `function first() {\n${lines(9)}}\n`,
          ends: "same\nold",
          windows: "a\r\nb\r\n",
          gone: "x\n",
          lib: { mode: "160000", data: "1".repeat(40) },
          raw: Buffer.from([0, 1])
        },
        {
          code: `function first() {\n${lines(6)}+++ not a header\n--- nor this\n${lines(3, 7)}}\n@@ -1 +1 @@\n`,
          ends: "same\nnew\n",
          windows: "a\r\nc\r\n",
          gone: null,
          lib: { mode: "160000", data: "2".repeat(40) },
          raw: Buffer.from([0, 2]),
          "dir/new": "\u00e9\n\\ backslash\n"
        }
      )
      const { files } = yield* store.diff(key, base, head)
      const hunksOf = (path: string) =>
        Effect.gen(function* () {
          const id = files.find((file) => file.path === path)?.id ?? ""
          const { file, hunks, truncated } = Option.getOrThrow(yield* store.fileDiff(key, base, head, id))
          expect([file.path, truncated]).toEqual([path, false])
          return hunks.map((hunk) => [
            `-${hunk.oldStart},${hunk.oldLines} +${hunk.newStart},${hunk.newLines} ${hunk.heading}`,
            ...hunk.lines.map(
              ({ kind, newLine, newline, oldLine, text }) =>
                `${kind[0]}${oldLine ?? "-"}:${newLine ?? "-"} ${text}${newline ? "" : "|"}`
            )
          ])
        })
      expect(yield* hunksOf("code")).toEqual([
        [
          "-5,7 +5,10 line 3",
          "c5:5 line 4",
          "c6:6 line 5",
          "c7:7 line 6",
          "a-:8 +++ not a header",
          "a-:9 --- nor this",
          "c8:10 line 7",
          "c9:11 line 8",
          "c10:12 line 9",
          "c11:13 }",
          "a-:14 @@ -1 +1 @@"
        ]
      ])
      expect(yield* hunksOf("ends")).toEqual([["-1,2 +1,2 ", "c1:1 same", "d2:- old|", "a-:2 new"]])
      expect(yield* hunksOf("windows")).toEqual([["-1,2 +1,2 ", "c1:1 a\r", "d2:- b\r", "a-:2 c\r"]])
      expect(yield* hunksOf("gone")).toEqual([["-1,1 +0,0 ", "d1:- x"]])
      expect(yield* hunksOf("dir/new")).toEqual([["-0,0 +1,2 ", "a-:1 \u00e9", "a-:2 \\ backslash"]])
      expect(yield* hunksOf("raw")).toEqual([])
      expect(yield* hunksOf("lib")).toEqual([
        ["-1,1 +1,1 ", `d1:- Subproject commit ${"1".repeat(40)}`, `a-:1 Subproject commit ${"2".repeat(40)}`]
      ])
      expect(yield* store.fileDiff(key, base, head, "0")).toEqual(Option.none())
    })
  )

  it.scoped("makes a patch that git apply takes", () =>
    Effect.gen(function* () {
      const { base, head, key, path, store } = yield* twoCommits(
        {
          text: lines(5),
          moved: lines(40),
          binary: Buffer.from([0, 1, 2]),
          link: { mode: "120000", data: "text" },
          gone: "x"
        },
        {
          text: `${lines(4)}end`,
          moved: null,
          "to/ä b": lines(40),
          binary: Buffer.from([0, 9]),
          link: "a file now\n",
          gone: null,
          empty: "",
          "run me": { mode: "100755", data: "#!/bin/sh\n" }
        }
      )
      const patch = yield* collected(store.patch(key, base, head))
      const index = mkdtempSync(join(tmpdir(), "errand-apply-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(index, { recursive: true })))
      yield* git(path, ["read-tree", `--index-output=${index}/index`, String(base)])
      yield* git(path, ["apply", "--cached", "--whitespace=nowarn"], patch, { GIT_INDEX_FILE: `${index}/index` })
      const tree = yield* git(path, ["write-tree"], "", { GIT_INDEX_FILE: `${index}/index` })
      expect(tree.toString().trim()).toBe(yield* gitText(path, ["rev-parse", `${head}^{tree}`]))
    })
  )

  it.scoped("shows paths that are no text, and tells them apart", () =>
    Effect.gen(function* () {
      const store = yield* GitStore
      const { key, path } = yield* remoteWith({ plain: "x\n" })
      const blob = yield* gitText(path, ["hash-object", "-w", "--stdin"], "1\n")
      const entry = (byte: number) =>
        Buffer.concat([Buffer.from(`100644 blob ${blob}\tn`), Buffer.from([byte]), Buffer.from("\0")])
      const tree = yield* gitText(path, ["mktree", "-z"], Buffer.concat([entry(0xfe), entry(0xff), entry(0x1b)]))
      const id = yield* gitText(path, ["-c", "user.name=a", "-c", "user.email=a", "commit-tree", "-m", "m", tree])
      yield* git(path, ["update-ref", "refs/heads/odd", id])
      const head = (yield* store.fetch(key, Option.some("odd"))).commit
      const { files } = yield* store.diff(key, null, CommitId.make(head ?? ""))
      expect(files.map(({ path }) => path)).toEqual(["n\u001b", "n\ufffd", "n\ufffd"])
      expect(new Set(files.map(({ id }) => id)).size).toBe(3)
      for (const { id } of files) {
        const { hunks } = Option.getOrThrow(yield* store.fileDiff(key, null, CommitId.make(head ?? ""), id))
        expect(hunks).toHaveLength(1)
      }
    })
  )

  it.scoped("keeps a file's id while neither side of it changes", () =>
    Effect.gen(function* () {
      const { base, head, key, path, store } = yield* twoCommits({ a: "1\n", b: "1\n" }, { a: "2\n", b: "2\n" })
      const next = yield* commitFiles(path, { a: "3\n" })
      yield* store.fetch(key, Option.none())
      const ids = (to: CommitId) => Effect.map(store.diff(key, base, to), ({ files }) => files.map(({ id }) => id))
      const [first, second] = [yield* ids(head), yield* ids(next)]
      expect(second[1]).toBe(first[1])
      expect(second[0]).not.toBe(first[0])
    })
  )

  it.scoped("is bounded in files, lines and bytes", () =>
    Effect.gen(function* () {
      const many = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`dir/file${index}`, `${index}\n`]))
      const { base, head, key, store } = yield* twoCommits({ a: "1\n" }, { ...many, a: lines(300) })
      const { files, truncated } = yield* store.diff(key, base, head)
      expect([files.length, truncated]).toEqual([20, true])
      const long = files.find(({ path }) => path === "a")
      const { hunks, truncated: cut } = Option.getOrThrow(yield* store.fileDiff(key, base, head, long?.id ?? ""))
      expect([hunks.flatMap(({ lines }) => lines).length, cut]).toEqual([100, true])
      expect(yield* Effect.flip(collected(store.patch(key, base, head)))).toMatchObject({ _tag: "PackRefused" })
    }).pipe(Effect.provide(gitStoreLayer({ allowLocal: true, diffFiles: 20, hunkLines: 100, patchBytes: 3000 })))
  )

  it.scoped("cuts a file of endless lines", () =>
    Effect.gen(function* () {
      const { base, head, key, store } = yield* twoCommits({ a: "1\n" }, { a: `1\n2\n${"x".repeat(50_000)}\n` })
      const { files } = yield* store.diff(key, base, head)
      const { hunks, truncated } = Option.getOrThrow(yield* store.fileDiff(key, base, head, files[0]?.id ?? ""))
      expect(truncated).toBe(true)
      expect(hunks.flatMap(({ lines }) => lines.map(({ text }) => text))).toEqual(["1", "2"])
    }).pipe(Effect.provide(gitStoreLayer({ allowLocal: true, hunkBytes: 1000 })))
  )

  it.scoped("says so when it takes too long", () =>
    Effect.gen(function* () {
      const { base, head, key, store } = yield* twoCommits({ a: "1\n" }, { a: "2\n" })
      const slow = yield* Effect.flip(store.diff(key, base, head))
      expect(slow).toMatchObject({ _tag: "PackRefused" })
      expect(slow.message).toContain("too long")
    }).pipe(Effect.provide(gitStoreLayer({ allowLocal: true, diffTime: "0 millis" })))
  )
})
