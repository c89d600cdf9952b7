/** Remotes that hold what harms who fetches it. */
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { hashObject, leftovers, rawCommit, rawTree } from "../support/forge.ts"
import { git } from "../support/gitRepository.ts"
import { describeWithGitServer } from "../support/gitServer.ts"
import { at, defaultBranch, named, served } from "../support/servedStore.ts"

describeWithGitServer("a hostile remote", () => {
  // Seen to fail with transfer.fsckObjects off.
  it.scopedLive(
    "has trees that would harm who checks them out: nothing of it is kept",
    served((server, store) =>
      Effect.gen(function* () {
        const { commit, path, url } = yield* server.create("app", { "a.txt": "one\n" })
        const blob = yield* hashObject(path, "blob", "[core]\n\tfsmonitor = touch /tmp/x\n")
        const modules = yield* hashObject(path, "blob", '[submodule "x"]\n\tpath = x\n\turl = -u./payload\n')
        const folder = yield* rawTree(path, [["100644", "config", blob]])
        const trees = [
          [["40000", ".GIT", folder]],
          [["40000", "git~1", folder]],
          [["40000", "..", folder]],
          [["100644", ".gitmodules", modules]],
          [["120000", ".gitmodules", blob]]
        ] as const
        for (const [index, entries] of trees.entries()) {
          const hostile = yield* rawCommit(path, yield* rawTree(path, entries), String(commit))
          yield* git(path, ["update-ref", `refs/heads/hostile${index}`, hostile])
          const failure = yield* Effect.flip(store.fetch(at(url), named(`hostile${index}`)))
          expect([index, failure.reason, failure.retryable]).toEqual([index, "refused", false])
          expect(failure.detail).toContain("objects that git's checks refuse")
        }
        expect(yield* leftovers).toEqual([])
        expect(yield* store.fetch(at(url), defaultBranch)).toEqual({ ref: "main", commit })
      })
    )
  )

  // Seen to fail with `refs/heads/*` fetched too.
  it.scopedLive(
    "has a hundred thousand branches: one is fetched",
    served((server, store) =>
      Effect.gen(function* () {
        const { commit, path, url } = yield* server.create("app", { "a.txt": "one\n" })
        const names = Array.from({ length: 100_000 }, (_, n) => `b${String(n).padStart(6, "0")}`)
        const lines = [...names, "main"].map((name) => `${commit} refs/heads/${name}\n`)
        const head = "# pack-refs with: peeled fully-peeled sorted \n"
        yield* Effect.sync(() => writeFileSync(`${path}/packed-refs`, head + lines.join("")))
        expect(yield* store.fetch(at(url), defaultBranch)).toEqual({ ref: "main", commit })
        expect(yield* store.fetch(at(url), named("b099999"))).toEqual({ ref: "b099999", commit })
        const failure = yield* Effect.flip(store.fetch(at(url), named("nowhere")))
        expect(failure).toMatchObject({ reason: "ref_not_found", retryable: false })
        expect(failure.detail.length).toBeLessThan(400)
      })
    )
  )

  // Seen to fail without the limit of memory.
  it.scopedLive(
    "sends what would not fit into memory: it is refused as too large, and nothing is left of it",
    served(
      (server, store) =>
        Effect.gen(function* () {
          const { commit, path, url } = yield* server.create("app", { "a.txt": "one\n" })
          const blob = yield* hashObject(path, "blob", "x")
          const tree = yield* rawTree(path, [["100644", "x".repeat(128 * 2 ** 20), blob]])
          const bomb = yield* rawCommit(path, tree, String(commit))
          yield* git(path, ["update-ref", "refs/heads/bomb", bomb])
          const failure = yield* Effect.flip(store.fetch(at(url), named("bomb")))
          expect([failure.reason, failure.retryable, failure.detail]).toEqual(["too_large", false, expect.any(String)])
          expect(yield* leftovers).toEqual([])
        }),
      () => ({ fetchMemory: 150 * 2 ** 20 })
    )
  )
})
