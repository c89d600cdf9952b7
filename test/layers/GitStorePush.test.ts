import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdirSync, writeFileSync } from "node:fs"
import type { GitStore } from "../../src/services/GitStore.ts"
import { CommitId } from "../../src/services/Ids.ts"
import { commitFiles, git, gitText } from "../support/gitRepository.ts"
import { describeWithGitServer, type GitServer } from "../support/gitServer.ts"
import { at, defaultBranch, named, served, work } from "../support/servedStore.ts"

/** A remote with a branch, fetched, and a commit on top of it that is ready to be pushed. */
const prepared = (server: GitServer, store: GitStore["Type"]) =>
  Effect.gen(function* () {
    const { path, url } = yield* server.create("app", { "a.txt": "one\n" })
    const { commit } = yield* store.fetch(at(url), defaultBranch)
    const base = CommitId.make(commit ?? "")
    const tree = yield* commitFiles(path, { "a.txt": "two\n" }, { branch: "elsewhere" })
    yield* store.fetch(at(url), named("elsewhere"))
    const tip = (branch: string) => gitText(path, ["for-each-ref", "--format=%(objectname)", `refs/heads/${branch}`])
    return { path, url, base, first: yield* work(store, url, tree, base), tip }
  })

describeWithGitServer("push", () => {
  it.scopedLive(
    "makes the branch, moves it on, and repeats without harm",
    served((server, store) =>
      Effect.gen(function* () {
        const { base, first, tip, url } = yield* prepared(server, store)
        const branch = "errand/ü-1"
        yield* store.push(at(url), { branch, commit: first, expected: null })
        expect(yield* tip(branch)).toBe(first)
        yield* store.push(at(url), { branch, commit: first, expected: null })
        const second = yield* work(store, url, base, first, "back")
        yield* store.push(at(url), { branch, commit: second, expected: first })
        yield* store.push(at(url), { branch, commit: second, expected: first })
        const rewound = yield* work(store, url, first, base, "another way")
        yield* store.push(at(url), { branch, commit: rewound, expected: second })
        expect(yield* tip(branch)).toBe(rewound)
      })
    )
  )

  // Seen to fail with `--force` in place of the lease.
  it.scopedLive(
    "overwrites nothing that somebody else has changed",
    served((server, store) =>
      Effect.gen(function* () {
        const { first, path, tip, url } = yield* prepared(server, store)
        const theirs = yield* commitFiles(path, { "t.txt": "theirs\n" }, { branch: "errand/x" })
        const push = (expected: CommitId | null) => store.push(at(url), { branch: "errand/x", commit: first, expected })
        expect(yield* Effect.flip(push(null))).toMatchObject({ _tag: "BranchMoved", actual: theirs })
        expect(yield* Effect.flip(push(first))).toMatchObject({ _tag: "BranchMoved", actual: theirs })
        expect(yield* tip("errand/x")).toBe(theirs)
        yield* git(path, ["branch", "-D", "errand/x"])
        expect(yield* Effect.flip(push(theirs))).toMatchObject({ _tag: "BranchMoved", actual: null })
        expect(yield* tip("errand/x")).toBe("")
      })
    )
  )

  it.scopedLive(
    "knows that a push has arrived although its answer was lost",
    served((server, store) =>
      Effect.gen(function* () {
        const { first, tip, url } = yield* prepared(server, store)
        yield* server.fail("push", { _tag: "LostAnswer" })
        yield* store.push(at(url), { branch: "errand/x", commit: first, expected: null })
        expect(yield* tip("errand/x")).toBe(first)
      })
    )
  )

  it.scopedLive(
    "can be tried again when it is not known whether it has arrived",
    served((server, store) =>
      Effect.gen(function* () {
        const { first, tip, url } = yield* prepared(server, store)
        const push = store.push(at(url), { branch: "errand/x", commit: first, expected: null })
        yield* server.fail("push", { _tag: "Status", status: 502 })
        expect(yield* Effect.flip(push)).toMatchObject({ reason: "network", retryable: true })
        yield* server.fail("push", { _tag: "Cut", afterBytes: 0 })
        yield* push
        yield* push
        expect(yield* tip("errand/x")).toBe(first)
      })
    )
  )

  it.scopedLive(
    "gives the remote's own words when it refuses",
    served((server, store) =>
      Effect.gen(function* () {
        const { first, path, tip, url } = yield* prepared(server, store)
        const push = store.push(at(url), { branch: "errand/x", commit: first, expected: null })
        yield* Effect.sync(() => {
          mkdirSync(`${path}/hooks`)
          const words = "remote hook talks\nerror: GH006: Protected branch \u001b[31mupdate failed"
          writeFileSync(`${path}/hooks/pre-receive`, `#!/bin/sh\nprintf '${words}\\n' >&2; exit 1\n`, { mode: 0o755 })
        })
        const failure = yield* Effect.flip(push)
        expect(failure).toMatchObject({ _tag: "RemoteFailed", reason: "refused", retryable: false })
        expect(failure.message).toContain("GH006: Protected branch update failed (pre-receive hook declined)")
        yield* server.requireSignIn("x", "y")
        expect(yield* Effect.flip(push)).toMatchObject({ reason: "auth" })
        expect(yield* tip("errand/x")).toBe("")
      })
    )
  )

  // Seen to fail without `isRefName`.
  it.scopedLive(
    "goes to one branch of a plain name only",
    served((server, store) =>
      Effect.gen(function* () {
        const { first, path, url } = yield* prepared(server, store)
        const before = yield* gitText(path, ["for-each-ref"])
        for (const branch of ["--mirror", "a b", "x/../main", "x:refs/heads/main", "a*", "", "a\nb"]) {
          const failure = yield* Effect.flip(store.push(at(url), { branch, commit: first, expected: null }))
          expect([branch, failure]).toMatchObject([branch, { reason: "refused" }])
        }
        expect(yield* gitText(path, ["for-each-ref"])).toBe(before)
      })
    )
  )
})
