/**
 * Commits of the store: making, finding, comparing, reading and packing them.
 */
import { Data, Effect, Option, RcMap, Stream } from "effect"
import { readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import { type CommitSpec, PackRefused, RemoteFailed } from "../../services/GitStore.ts"
import { CommitId } from "../../services/Ids.ts"
import { StorageFull } from "../../services/Transaction.ts"
import type { Ask } from "./answerers.ts"
import { safe, settings } from "./environment.ts"
import { cleanLine, complaint, ranOutOfSpace } from "./failures.ts"
import type { Limits } from "./limits.ts"
import type { Git, GitCall } from "./process.ts"
import { makeQuestions, tooLong } from "./questions.ts"
import { isKeepName, keepRef } from "./repositories.ts"
import { isRegular, treeMode } from "./trees.ts"

/** The tree of nothing at all, which git knows without having it. */
export const emptyTree = (like: CommitId) =>
  like.length === 64
    ? "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"
    : "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

/** What git reports of a read that failed, as the refusal that callers know. */
export const unreadable = (stderr: string) => new PackRefused({ detail: complaint(stderr) })

const unwritten = (stderr: string) => (ranOutOfSpace(stderr) ? new StorageFull() : unreadable(stderr))

/** Bytes of a pack that are worth holding in memory for a moment: to start a program for a stream costs more. */
const smallPack = 4 * 2 ** 20
const smallPackTime = "2 seconds"

interface Packed {
  readonly path: string
  readonly want: ReadonlyArray<CommitId>
  readonly have: ReadonlyArray<CommitId>
}
const Packed = Data.case<Packed>()

interface Made {
  readonly keep: string
  readonly commit: CommitId
  readonly parent: CommitId | null
}

/** Bytes of the packs in a repository, as far as they can be told. */
const packedBytes = (path: string) =>
  // @effect-diagnostics-next-line asyncFunction:off -- files of Node's, read side by side
  Effect.promise(async () => {
    const folder = join(path, "objects", "pack")
    const packs = (await readdir(folder)).filter((name) => name.endsWith(".pack"))
    // @effect-diagnostics-next-line asyncFunction:off -- files of Node's, read side by side
    const sizes = await Promise.all(packs.map(async (name) => (await stat(join(folder, name))).size))
    return sizes.reduce((sum, size) => sum + size, 0)
  }).pipe(Effect.catchAllDefect(() => Effect.succeed(Number.POSITIVE_INFINITY)))

export const makeObjects = Effect.fnUntraced(function* (git: Git, askGit: Ask, limits: Limits) {
  const ask = (path: string, args: ReadonlyArray<string>, more: Partial<GitCall> = {}) =>
    git.run({ repository: path, args: [...safe, ...args], timeout: limits.readTime, outputLimit: 65_536, ...more })

  /** A commit counts when everything that it needs is there: what no ref reaches may be in pieces. */
  const hasCommit = (path: string, commit: CommitId) =>
    ask(path, ["rev-list", "--objects", "--quiet", `${commit}^{commit}`, "--not", "--all"], { saysLittle: true }).pipe(
      Effect.map(({ exitCode }) => exitCode === 0),
      Effect.orElseSucceed(() => false)
    )

  const sameTree = (path: string, a: CommitId, b: CommitId) =>
    ask(path, ["rev-parse", `${a}^{tree}`, `${b}^{tree}`], { saysLittle: true }).pipe(
      Effect.map(({ exitCode, stdout }) => {
        const [one, other] = stdout.toString("utf8").split("\n")
        return exitCode === 0 && one === other
      }),
      Effect.orElseSucceed(() => false)
    )

  const commit = Effect.fnUntraced(
    function* (path: string, { at, author, keep, message, parents, tree }: CommitSpec) {
      if (!isKeepName(keep)) return yield* Effect.dieMessage(`${keep} can't name what is kept`)
      const made = yield* ask(path, ["commit-tree", ...parents.flatMap((parent) => ["-p", parent]), `${tree}^{tree}`], {
        input: message.replaceAll("\0", ""),
        saysLittle: true,
        env: identity(author, at)
      })
      if (made.exitCode !== 0) return yield* unwritten(made.stderr)
      const id = CommitId.make(made.stdout.toString("utf8").trim())
      const kept = yield* ask(path, ["update-ref", keepRef(`${keep}/commit/${id}`), id], { saysLittle: true })
      if (kept.exitCode !== 0) return yield* unwritten(kept.stderr)
      return id
    },
    Effect.catchTag("GitStopped", tooLong)
  )

  const hasMade = (path: string, { commit, keep, parent }: Made) =>
    ask(path, ["rev-list", "--parents", "--max-count=1", keepRef(`${keep}/commit/${commit}`), "--"]).pipe(
      Effect.map(
        ({ exitCode, stdout }) =>
          exitCode === 0 && stdout.toString("utf8").trim() === [commit, parent].filter((id) => id !== null).join(" ")
      ),
      Effect.orElseSucceed(() => false)
    )

  /** A path names a regular file when the tree has exactly it, as a file and not as a link. */
  const readFile = Effect.fnUntraced(
    function* (path: string, commit: CommitId, file: string, limit: number) {
      const { readTree } = makeQuestions(askGit, path, commit.length === 64 ? "sha256" : "sha1")
      const directories = Buffer.from(file).toString("latin1").split("/")
      const name = directories.pop() ?? ""
      let { tree } = yield* readTree(`${commit}^{tree}`)
      for (const directory of directories) {
        const entry = tree.get(directory)
        if (entry?.mode !== treeMode) return Option.none<Uint8Array>()
        tree = (yield* readTree(entry.id)).tree
      }
      const entry = tree.get(name)
      if (entry === undefined || !isRegular(entry)) return Option.none<Uint8Array>()
      const blob = yield* ask(path, ["cat-file", "blob", entry.id], { outputLimit: limit, atLimit: "cut" })
      return blob.cut || blob.exitCode === 0 ? Option.some<Uint8Array>(blob.stdout) : Option.none<Uint8Array>()
    },
    Effect.orElseSucceed(() => Option.none<Uint8Array>())
  )

  /** Deltas are reused but not looked for: the pack goes to the same machine, and time is dearer than bytes. */
  const packing = (path: string, want: ReadonlyArray<CommitId>, have: ReadonlyArray<CommitId>) => ({
    repository: path,
    args: [
      ...safe,
      ...settings({ "pack.window": 0, "pack.compression": 1 }),
      "pack-objects",
      "--revs",
      "--stdout",
      "--quiet",
      "--thin",
      "--delta-base-offset"
    ],
    input: [...want, ...have.map((commit) => `^${commit}`)].map((line) => `${line}\n`).join(""),
    timeout: limits.transferTime
  })

  /** One that is small comes in one piece, from a file, and is kept for tasks that begin together. */
  const smallPacks = yield* RcMap.make({
    lookup: ({ have, path, want }: Packed) =>
      git
        .run({ ...packing(path, want, have), outputLimit: smallPack, saysLittle: true, rlimits: { file: smallPack } })
        .pipe(
          Effect.map(({ exitCode, stdout }) => (exitCode === 0 ? Option.some(stdout) : Option.none())),
          Effect.orElseSucceed(() => Option.none<Buffer>())
        ),
    idleTimeToLive: smallPackTime
  })

  const pack = (path: string, want: ReadonlyArray<CommitId>, have: ReadonlyArray<CommitId>) => {
    const streamed = git.stream({ ...packing(path, want, have), outputLimit: Number.POSITIVE_INFINITY })
    const whole = Effect.map(
      Effect.scoped(RcMap.get(smallPacks, Packed({ path, want: Data.array(want), have: Data.array(have) }))),
      Option.match({ onNone: () => streamed, onSome: (bytes) => Stream.make<[Uint8Array]>(bytes) })
    )
    return Stream.unwrap(
      Effect.flatMap(packedBytes(path), (bytes) => (bytes > smallPack / 2 ? Effect.succeed(streamed) : whole))
    ).pipe(
      Stream.mapError((error) => new RemoteFailed({ reason: "other", retryable: false, detail: packFailure(error) }))
    )
  }

  /** Every ref under a name, and the ref of the name itself; git takes a pattern for a whole path or a folder. */
  const forget = Effect.fnUntraced(function* (path: string, name: string) {
    if (!isKeepName(name)) return
    const listed = yield* ask(path, ["for-each-ref", "--format=delete %(refname)", keepRef(name)], {
      outputLimit: 20_000_000
    })
    if (listed.stdout.length > 0) yield* ask(path, ["update-ref", "--stdin"], { input: listed.stdout.toString("utf8") })
  }, Effect.orDie)

  return { hasCommit, sameTree, commit, hasMade, readFile, pack, forget }
})

const packFailure = (error: { readonly _tag: string; readonly stderr?: string }) =>
  error._tag === "GitFailed"
    ? `The store could not be read. (git: ${complaint(error.stderr ?? "")})`
    : "The store could not be read in time."

const identity = ({ email, name }: CommitSpec["author"], at: CommitSpec["at"]) => {
  const date = `@${Math.floor(Date.parse(at) / 1000)} +0000`
  // Git takes no name of nothing but punctuation.
  const person = { name: /[\p{L}\p{N}]/u.test(name) ? cleanLine(name) : "Errand", email: cleanLine(email) }
  return {
    GIT_AUTHOR_NAME: person.name,
    GIT_AUTHOR_EMAIL: person.email,
    GIT_AUTHOR_DATE: date,
    GIT_COMMITTER_NAME: person.name,
    GIT_COMMITTER_EMAIL: person.email,
    GIT_COMMITTER_DATE: date
  }
}
