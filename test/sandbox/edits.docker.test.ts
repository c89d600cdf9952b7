/** Checkpoints of edits hold what git makes of the whole tree, or are not made at all. */
import { assert, it } from "@effect/vitest"
import { DateTime, Effect, Layer, Option, type Scope } from "effect"
import { execFileSync } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { collect, ignoredAmong, layOut, snapshot } from "../../src/agent/workspace.ts"
import { GitStore, type StoreKey } from "../../src/services/GitStore.ts"
import type { CommitId } from "../../src/services/Ids.ts"
import type { SandboxHandle } from "../../src/services/Sandbox.ts"
import { Timestamp } from "../../src/services/Task.ts"
import { dockerSandbox } from "../support/dockerSandbox.ts"
import { describeWithEngine } from "../support/engine.ts"
import { gitStoreLayer } from "../support/gitStore.ts"
import { bytesOf, openSandbox, sh } from "../support/sandboxContract.ts"
import { branch, remoteWith } from "../support/workplace.ts"

const files = {
  "README.md": "# App\n",
  ".gitignore": "*.log\n/build\n",
  "src/a.js": "export const a = 1\n".repeat(20),
  "src/deep/b.js": "export const b = 2\n",
  "src/deep/.gitignore": "*.tmp\n!keep.tmp\n",
  "a.b/c": "sorts before a/\n",
  "a/c": "sorts after a.b/\n",
  "run.sh": "echo hi\n"
}

/** What the fast way must take, and exactly as git does. */
const taken: ReadonlyArray<string> = [
  "echo 'export const a = 2' >> src/a.js",
  "sed -i s/2/3/ src/deep/b.js README.md",
  "echo new > new.txt; echo deep > src/deep/new.js",
  "echo log > x.log; echo log > src/y.log; echo tmp > src/deep/z.tmp; echo kept > src/deep/keep.tmp; touch src/a.js",
  "rm new.txt; echo more > 'name with \"quotes\" and ü'",
  "chmod +x run.sh",
  "mkdir -p one/two/three && echo x > one/two/three/file && echo y > one/a",
  "mkdir build && echo out > build/out",
  "echo z > one/two/three/file; rm one/a",
  "rm -r one",
  "mv src/a.js src/moved.js",
  "printf 'no line break' > src/moved.js; printf '\\0\\1\\2' > binary",
  "echo a > a.c; echo b > a/b; rm a.b/c",
  "rm a/b a/c; echo file >> README.md",
  "git add -A && git commit -qm own && git checkout -q -b other && echo after > README.md",
  "for n in $(seq 60); do echo $n > many$n; done",
  ": > empty; printf '\\r\\nlines\\r\\n' > crlf.txt"
]

/** What only a look at the whole tree can tell. */
const leftToGit: ReadonlyArray<string> = [
  "for n in $(seq 70); do echo $n > most$n; done",
  "ln -s README.md link",
  "ln README.md hard && echo through the other name >> hard",
  "mv src elsewhere",
  "head -c 2000000 /dev/zero > large",
  "echo '*.js' >> .gitignore; echo x > elsewhere/new.js",
  "rm README.md && mkdir README.md && echo x > README.md/file",
  "mkfifo pipe",
  "printf x > \"$(printf 'not\\377text')\"",
  "mkdir nested && git -C nested init -q && echo x > nested/file",
  "echo y > nested/file",
  "rm -rf nested .git/config; echo '* text=auto' > .gitattributes; printf 'a\\r\\n' > crlf.txt",
  "printf 'b\\r\\n' > crlf.txt"
]

interface Place {
  readonly handle: SandboxHandle
  readonly key: StoreKey
  readonly repository: string
  /** The last checkpoint in the store, and the sandbox's own. */
  head: CommitId
  kept: CommitId | null
  inside: CommitId
}

const git = (repository: string, ...args: ReadonlyArray<string>) =>
  execFileSync("git", ["--git-dir", repository, ...args], { encoding: "utf8" }).trim()

const now = Effect.map(DateTime.now, (moment) => Timestamp.make(DateTime.formatIso(moment)))

/** The tree that git sees, brought into the store beside the checkpoints. */
const truth = Effect.fnUntraced(function* (place: Place, name: string) {
  const store = yield* GitStore
  const seen = yield* Effect.orDie(snapshot(place.handle, { parent: place.inside }))
  if (Option.isNone(seen)) return git(place.repository, "rev-parse", `${place.inside}^{tree}`)
  const { commit } = seen.value
  const work = yield* Effect.orDie(collect(place.handle, commit, place.inside))
  yield* Effect.orDie(store.receive(place.key, { name, commit, expected: null }, work))
  place.inside = commit
  return git(place.repository, "rev-parse", `${commit}^{tree}`)
})

const checkpointOf = Effect.fnUntraced(function* (place: Place) {
  const store = yield* GitStore
  const edits = yield* Effect.orDie(place.handle.edits)
  if (Option.isNone(edits)) return Option.none()
  const made = yield* store.checkpoint(place.key, {
    parent: place.head,
    keep: { name: "task", expected: place.kept },
    at: yield* now,
    work: { edits: edits.value, ignored: (paths) => ignoredAmong(place.handle, paths) }
  })
  return Option.some(made)
})

const counts = (repository: string, from: string, to: string) => {
  const said = git(repository, "diff-tree", "-r", "-M", "-l200", "--shortstat", from, to)
  const of = (what: RegExp) => Number(what.exec(said)?.[1] ?? 0)
  return [of(/(\d+) file/), of(/(\d+) insertion/), of(/(\d+) deletion/)]
}

const workplace = (format: "sha1" | "sha256") =>
  Effect.gen(function* () {
    const store = yield* GitStore
    const { base, key } = yield* remoteWith(files, format)
    if (base === null) return yield* Effect.dieMessage("the remote is empty")
    const handle = yield* Effect.orDie(openSandbox)
    yield* Effect.orDie(layOut(handle, { branch, base, files: base, pack: store.pack(key, [base], []) }))
    yield* handle.treeChanged
    // Nothing is known of what was before.
    assert.isTrue(Option.isNone(yield* Effect.orDie(handle.edits)))
    return { handle, key, base }
  })

describeWithEngine("edits in a container", () => {
  const dataDir = mkdtempSync(join(tmpdir(), "errand-edits-"))
  const layer = dockerSandbox("test-edits").pipe(Layer.provideMerge(gitStoreLayer({ allowLocal: true, dataDir })))
  const repositories = () => readdirSync(join(dataDir, "repositories")).filter((name) => name.endsWith(".git"))

  const test = (name: string, body: Effect.Effect<void, unknown, Layer.Layer.Success<typeof layer> | Scope.Scope>) =>
    it.scopedLive(
      name,
      () =>
        Effect.ensuring(
          Effect.provide(body, layer),
          Effect.sync(() => rmSync(dataDir, { recursive: true, force: true }))
        ),
      120_000
    )

  for (const format of ["sha1", "sha256"] as const) {
    test(
      `become the checkpoints that git would make, or none (${format})`,
      Effect.gen(function* () {
        const { base, handle, key } = yield* workplace(format)
        const place: Place = {
          handle,
          key,
          repository: join(dataDir, "repositories", repositories()[0] ?? ""),
          head: base,
          kept: null,
          inside: base
        }
        for (const [number, script] of [...taken, ...leftToGit].entries()) {
          const before = git(place.repository, "rev-parse", `${place.head}^{tree}`)
          assert.strictEqual((yield* handle.run(sh(script))).exitCode, 0, script)
          const made = yield* Effect.either(checkpointOf(place))
          const tree = yield* truth(place, `truth/${number}`)
          const fast = made._tag === "Right" && Option.isSome(made.right) ? made.right.value : undefined
          assert.strictEqual(fast !== undefined, taken.includes(script), `${script}: ${String(made)}`)
          if (fast === undefined || Option.isNone(fast)) {
            if (fast !== undefined) assert.strictEqual(tree, before, script)
            place.head = place.inside
            continue
          }
          const { additions, commit, deletions, files, tree: madeTree } = fast.value
          assert.strictEqual(madeTree, tree, script)
          assert.deepStrictEqual([files, additions, deletions], counts(place.repository, before, tree), script)
          assert.strictEqual(git(place.repository, "rev-parse", `${commit}^`), place.head)
          assert.strictEqual(git(place.repository, "rev-parse", "refs/heads/keep/task/checkpoint"), commit)
          place.head = place.kept = commit
        }
        git(place.repository, "fsck", "--strict", "--full")
      })
    )
  }

  test(
    "are told once, as the files are now",
    Effect.gen(function* () {
      const { handle } = yield* workplace("sha1")
      yield* handle.writeFile("src/a.js", bytesOf("one"))
      yield* handle.writeFile("src/a.js", bytesOf("two"))
      yield* handle.run(sh("chmod +x run.sh; rm README.md; echo x > gone; rm gone"))
      const told = Option.getOrThrow(yield* handle.edits)
      const read = told.map(({ file, path }) => [
        path,
        file === null ? null : `${Buffer.from(file.bytes).toString()}${file.executable ? "*" : ""}`
      ])
      assert.deepInclude(read, ["src/a.js", "two"])
      assert.deepInclude(read, ["run.sh", "echo hi\n*"])
      assert.deepInclude(read, ["README.md", null])
      assert.deepStrictEqual(Option.getOrThrow(yield* handle.edits), [])
    })
  )
})
