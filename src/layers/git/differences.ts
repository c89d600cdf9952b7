/**
 * Differences between two commits of the store: lists of files, the hunks of one, whole patches.
 */
import { Cache, Data, Duration, Effect, Exit, Option, Stream } from "effect"
import { type Diff, type Hunk, PackRefused } from "../../services/GitStore.ts"
import type { CommitId } from "../../services/Ids.ts"
import { type ChangedFile, type FileList, makeDiffReader } from "./changedFiles.ts"
import { safe, settings } from "./environment.ts"
import { parseHunks } from "./hunks.ts"
import type { Limits } from "./limits.ts"
import { emptyTree, unreadable } from "./objects.ts"
import type { Git, GitFailed, GitStopped } from "./process.ts"
import { tooLong } from "./questions.ts"

const MiB = 2 ** 20

/** A file that inflates to more than memory holds ends git, not the server. */
const rlimits = { memory: 1024 * MiB }

/** More files than this are not compared with each other to find renames. */
const renameLimit = 1000

const plain = [
  ...safe,
  ...settings({ "diff.renameLimit": renameLimit }),
  "diff",
  "--no-color",
  "--no-ext-diff",
  "--no-textconv",
  "--ignore-submodules=none",
  "--submodule=short"
]

const refusal = (error: GitStopped | GitFailed): PackRefused => {
  if (error._tag === "GitFailed") return unreadable(error.stderr)
  return error.reason === "timeout" ? tooLong() : new PackRefused({ detail: "the difference is too large" })
}

/** Changes since the two parted; histories that have nothing in common are compared as they are. */
const ranges = (base: CommitId | null, head: CommitId): ReadonlyArray<ReadonlyArray<string>> =>
  base === null ? [[emptyTree(head), head]] : [[`${base}...${head}`], [base, head]]

const partedNever = (error: GitStopped | GitFailed) => error._tag === "GitFailed" && /no merge base/.test(error.stderr)

const totals = ({ files, truncated }: FileList): Diff => ({
  files: files.map(({ change }) => change),
  additions: files.reduce((sum, { change }) => sum + change.additions, 0),
  deletions: files.reduce((sum, { change }) => sum + change.deletions, 0),
  truncated
})

const isZero = (id: string) => /^0+$/.test(id)
const gitlink = "160000"

const submoduleLine = (kind: "addition" | "deletion", id: string) => ({
  kind,
  text: `Subproject commit ${id}`,
  oldLine: kind === "deletion" ? 1 : null,
  newLine: kind === "addition" ? 1 : null,
  newline: true
})

/** A submodule has no content here, only the commit that it stands at. */
const submoduleHunk = ({ newBlob, newMode, oldBlob, oldMode }: ChangedFile): Hunk => {
  const before = oldMode === gitlink ? [submoduleLine("deletion", oldBlob)] : []
  const after = newMode === gitlink ? [submoduleLine("addition", newBlob)] : []
  return {
    oldStart: before.length,
    oldLines: before.length,
    newStart: after.length,
    newLines: after.length,
    heading: "",
    lines: [...before, ...after]
  }
}

interface Compared {
  readonly path: string
  readonly base: CommitId | null
  readonly head: CommitId
}

export const makeDifferences = Effect.fnUntraced(function* (git: Git, limits: Limits) {
  /** Streams the output for the first range that git can make sense of. */
  const compare = (
    path: string,
    args: ReadonlyArray<string>,
    base: CommitId | null,
    head: CommitId,
    outputLimit: number
  ) => {
    const one = (range: ReadonlyArray<string>) =>
      git.stream({
        repository: path,
        args: [...plain, ...args, "--end-of-options", ...range, "--"],
        timeout: limits.streamTime,
        outputLimit,
        rlimits
      })
    const [first = [], second] = ranges(base, head)
    return second === undefined
      ? one(first)
      : Stream.catchAll(one(first), (error) => (partedNever(error) ? one(second) : Stream.fail(error)))
  }

  const list = (path: string, base: CommitId | null, head: CommitId): Effect.Effect<FileList, PackRefused> =>
    Effect.suspend(() => {
      const reader = makeDiffReader({ files: limits.diffFiles })
      const args = ["--raw", "--numstat", "-z", "--no-abbrev", "-M"]
      return compare(path, args, base, head, limits.diffBytes).pipe(
        Stream.runForEachWhile((chunk) => Effect.sync(() => !reader.push(chunk))),
        Effect.mapError(refusal),
        Effect.timeoutFail({ duration: limits.diffTime, onTimeout: tooLong }),
        Effect.map(reader.result)
      )
    })

  /** A client that shows a difference asks for one file after the other. */
  const lists = yield* Cache.makeWith({
    capacity: 8,
    lookup: ({ base, head, path }: Compared) => list(path, base, head),
    timeToLive: (exit) => (Exit.isSuccess(exit) ? Duration.minutes(5) : Duration.zero)
  })
  const listed = (path: string, base: CommitId | null, head: CommitId) => lists.get(Data.struct({ path, base, head }))

  const blobs = Effect.fnUntraced(function* (path: string, { newBlob, oldBlob }: ChangedFile) {
    if (!isZero(oldBlob) && !isZero(newBlob)) return [oldBlob, newBlob]
    const empty = yield* git.run({
      repository: path,
      args: [...safe, "hash-object", "-w", "--stdin"],
      timeout: limits.readTime,
      outputLimit: 1024
    })
    const nothing = empty.stdout.toString("utf8").trim()
    return [isZero(oldBlob) ? nothing : oldBlob, isZero(newBlob) ? nothing : newBlob]
  })

  /** Contents are compared by their ids, so that no path of the repository ever becomes an argument. */
  const hunks = Effect.fnUntraced(
    function* (path: string, file: ChangedFile) {
      if (file.change.submodule) return { hunks: [submoduleHunk(file)], truncated: false }
      if (file.change.binary || file.oldBlob === file.newBlob) return { hunks: [], truncated: false }
      const { cut, exitCode, stderr, stdout } = yield* git.run({
        repository: path,
        args: [...plain, "--end-of-options", ...(yield* blobs(path, file))],
        timeout: limits.diffTime,
        outputLimit: limits.hunkBytes,
        atLimit: "cut",
        rlimits
      })
      if (!cut && exitCode !== 0) return yield* unreadable(stderr)
      // The last line of what was cut is not whole.
      const text = cut ? stdout.subarray(0, stdout.lastIndexOf(10)).toString("utf8") : stdout.toString("utf8")
      const parsed = parseHunks(text, { lines: limits.hunkLines })
      return { hunks: parsed.hunks, truncated: parsed.truncated || cut }
    },
    Effect.catchTag("GitStopped", tooLong)
  )

  const diff = (path: string, base: CommitId | null, head: CommitId) => Effect.map(listed(path, base, head), totals)

  const fileDiff = Effect.fnUntraced(function* (path: string, base: CommitId | null, head: CommitId, id: string) {
    const { files } = yield* listed(path, base, head)
    const file = files.find(({ change }) => change.id === id)
    if (file === undefined) return Option.none()
    return Option.some({ file: file.change, ...(yield* hunks(path, file)) })
  })

  const patch = (path: string, base: CommitId | null, head: CommitId) =>
    compare(path, ["--binary", "--full-index", "-M"], base, head, limits.patchBytes).pipe(Stream.mapError(refusal))

  return { diff, fileDiff, patch }
})
