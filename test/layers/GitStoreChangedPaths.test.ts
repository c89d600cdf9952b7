import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { ciPaths } from "../../src/agent/ciChanges.ts"
import { CommitId } from "../../src/services/Ids.ts"
import { at, author, packOf, scene } from "../support/forge.ts"
import { commitFiles, type FileSpec } from "../support/gitRepository.ts"
import { gitStoreLayer } from "../support/gitStore.ts"

const workflow = ".github/workflows/check.yml"

/** What a commit with these files changes of those on `base`. */
const changed = (before: Readonly<Record<string, FileSpec>>, after: Readonly<Record<string, FileSpec>>) =>
  Effect.gen(function* () {
    const { base, forged, key, receive, store } = yield* scene({ a: "a\n", ...before })
    const commit = yield* commitFiles(forged, after)
    yield* receive(commit, yield* packOf(forged, commit, base))
    return yield* store.changedPaths(key, base, commit, ciPaths)
  })

layer(gitStoreLayer({ allowLocal: true }), { excludeTestServices: true })("paths of changed CI definitions", (it) => {
  it.scoped("are found wherever CI systems look, in any case of letters", () =>
    Effect.gen(function* () {
      const paths = [
        ".GitHub/Workflows/Deploy.yaml",
        ".buildkite/pipeline.yml",
        ".circleci/config.yml",
        ".drone.yml",
        ".forgejo/workflows/a.yml",
        ".gitea/workflows/a.yml",
        ".github/actions/setup/action.yml",
        ".github/workflows/a/b.yml",
        ".gitlab-ci.yml",
        ".woodpecker.yaml",
        ".woodpecker/test.yml",
        "Jenkinsfile",
        "azure-pipelines.yml",
        "bitbucket-pipelines.yml",
        "service/Jenkinsfile.release"
      ]
      const others = ["workflows/a.yml", "docs/.github/workflows/a.yml", ".github/CODEOWNERS", "src/jenkins.ts", "b"]
      const files = Object.fromEntries([...paths, ...others].map((path) => [path, "x\n"]))
      expect((yield* changed({}, files)).toSorted()).toEqual(paths)
    })
  )

  // Seen to fail with renames found: then only the new name is listed.
  it.scoped("are found when they come from elsewhere, go, or turn into something else", () =>
    Effect.gen(function* () {
      const text = "on: push\n".repeat(20)
      expect(yield* changed({ "x.yml": text }, { "x.yml": null, [workflow]: text })).toEqual([workflow])
      expect(yield* changed({ [workflow]: text }, { [workflow]: null, "x.yml": text })).toEqual([workflow])
      expect(yield* changed({ [workflow]: text }, { [workflow]: { mode: "100755", data: text } })).toEqual([workflow])
      const moved = yield* changed({ ".circleci/config.yml": text }, { ".circleci/config.yml": null, [workflow]: text })
      expect(moved).toEqual([".circleci/config.yml", workflow])
      const link = { mode: "120000", data: "elsewhere" }
      expect(yield* changed({}, { ".github/workflows": link })).toEqual([".github/workflows"])
      const module = { mode: "160000", data: "1".repeat(40) }
      expect(yield* changed({}, { ".github/workflows": module })).toEqual([".github/workflows"])
      expect(yield* changed({ [workflow]: text }, { a: "other\n" })).toEqual([])
    })
  )

  // Seen to fail with what was cut thrown away: one long name then hides every change.
  it.scoped("are listed up to a bound, and never as none when there are some", () =>
    Effect.gen(function* () {
      const many = Array.from({ length: 20_000 }, (_, n) => [`.github/workflows/${n}.yml`, "x\n"] as const)
      const some = yield* changed({}, Object.fromEntries(many))
      expect(some.length).toBe(100)
      const long = `.github/workflows/${Array.from({ length: 40 }, () => "d".repeat(250)).join("/")}/a.yml`
      const [cut = ""] = yield* changed({}, { [long]: "x\n" })
      expect(cut).toMatch(/^\.github\/workflows\/d+.*…$/)
      expect(cut.length).toBeLessThan(6_100)
      const odd = yield* changed({}, { ".github/workflows/a\n\u001b[31m\u202e.yml": "x\n", ":(top)x": "x\n" })
      expect(odd).toEqual([".github/workflows/a\n\u001b[31m\u202e.yml"])
    })
  )

  it.scoped("are all of them in a repository that began empty, and an error where there is no commit", () =>
    Effect.gen(function* () {
      const { base, forged, key, receive, store } = yield* scene()
      const commit = yield* commitFiles(forged, { [workflow]: "x\n" })
      yield* receive(commit, yield* packOf(forged, commit, base))
      expect(yield* store.changedPaths(key, null, commit, ciPaths)).toEqual([workflow])
      const unknown = CommitId.make("1".repeat(40))
      expect(yield* Effect.flip(store.changedPaths(key, base, unknown, ciPaths))).toMatchObject({ _tag: "PackRefused" })
      const spec = { tree: commit, parents: [base], message: "m", at, keep: "task", author }
      expect(yield* store.changedPaths(key, base, yield* store.commit(key, spec), ciPaths)).toEqual([workflow])
    })
  )
})
