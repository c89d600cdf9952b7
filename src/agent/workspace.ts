/**
 * The work tree in a sandbox: laid out from the server's store, and brought back as commits.
 *
 * Git runs in the sandbox, as the agent does; what it answers is checked like everything that comes from there.
 */
import { Duration, Effect, Option, Schema, Stream } from "effect"
import { CommitId } from "../services/Ids.ts"
import type { CommandResult, PipeFailed, SandboxHandle, SandboxLost } from "../services/Sandbox.ts"
import layOutScript from "./workspace/layOut.sh?raw"
import snapshotScript from "./workspace/snapshot.sh?raw"

/** The work tree can't be laid out or saved: the sandbox is full, the tree is too large, or git fails there. */
export class SnapshotFailed extends Schema.TaggedError<SnapshotFailed>()("SnapshotFailed", {
  reason: Schema.Literal("timeout", "no_space", "git"),
  /** One line for people. */
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

export interface Layout<E> {
  /** The branch that the agent's HEAD is on; it need not have a commit. */
  readonly branch: string
  /** The commit that the branch is at; null in an empty repository. */
  readonly base: CommitId | null
  /** The commit whose files the work tree has; where they differ from the base, they are changes not committed yet. */
  readonly files: CommitId | null
  /** Everything that both commits need; null when there are none. */
  readonly pack: Stream.Stream<Uint8Array, E> | null
}

/** What a snapshot differs from its parent in, counted as `git diff --shortstat` does. */
export interface Snapshot {
  readonly commit: CommitId
  readonly files: number
  readonly additions: number
  readonly deletions: number
}

const layOutTime = Duration.minutes(10)
const snapshotTime = Duration.seconds(60)
const outputLimit = 16_384
/** Bytes of a pack that are read in one piece; longer ones come as a stream. */
const packLimit = 1_048_576

/** Nothing of the configuration that the agent may have written for itself. */
const clean = { GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null", GIT_ATTR_NOSYSTEM: "1", LC_ALL: "C" }
const cleanly = ["env", ...Object.entries(clean).map(([name, value]) => `${name}=${value}`)] as const

/** Lays the repository into the empty work tree of a new sandbox. The agent's repository has no remote. */
export const layOut = <E>(
  handle: SandboxHandle,
  layout: Layout<E>
): Effect.Effect<void, E | PipeFailed | SnapshotFailed | SandboxLost> => lay(handle, "new", layout)

const lay = <E>(handle: SandboxHandle, mode: "new" | "mend", { base, branch, files, pack }: Layout<E>) => {
  const format = (base ?? files)?.length === 64 ? "sha256" : "sha1"
  return handle
    .pipe(
      [...cleanly, "sh", "-c", layOutScript, "sh", mode, branch, base ?? "", files ?? "", format],
      pack ?? Stream.empty
    )
    .pipe(
      Stream.runDrain,
      Effect.timeoutFail({
        duration: layOutTime,
        onTimeout: () => new SnapshotFailed({ reason: "timeout", detail: "laying out the files took too long" })
      })
    )
}

interface Failure {
  readonly _tag: string
  readonly message: string
}

export interface SnapshotOptions<E> {
  /** The commit to build on, which the sandbox knows; null when there is none yet. */
  readonly parent: CommitId | null
  /** The tree to compare with where it is another than that of `parent`; the sandbox need not know it. */
  readonly ahead?: string | null
  /** How to mend the repository in the sandbox when the agent has lost or broken it; `pack` has all that `parent` needs. */
  readonly origin?: Omit<Layout<E>, "files">
}

/**
 * Makes a commit of the work tree as it is now, in the sandbox, if it differs from that of `parent`. What .gitignore
 * excludes is left out, submodules stay references, other repositories inside of the tree become plain files. HEAD,
 * index and history of the agent's own repository don't matter and stay as they are.
 */
export const snapshot = Effect.fn("workspace.snapshot")(function* <E extends Failure = never>(
  handle: SandboxHandle,
  { ahead = null, origin, parent }: SnapshotOptions<E>
) {
  const first = yield* take(handle, parent, ahead)
  if (first.exitCode === 0 || first.timedOut || origin === undefined) return yield* read(first)
  yield* Effect.logInfo("mending the repository in the sandbox", lastLine(first.output))
  yield* lay(handle, "mend", { ...origin, files: parent }).pipe(
    Effect.mapError((error) =>
      error._tag === "SandboxLost"
        ? error
        : new SnapshotFailed({ reason: "git", detail: lastLine(error.message).slice(0, 300) })
    )
  )
  return yield* read(yield* take(handle, parent, ahead))
})

/** For checkpoints, apart from the agent's own repository. */
const ownGit = { ...clean, GIT_DIR: ".git/errand", GIT_WORK_TREE: "." }

const take = (handle: SandboxHandle, parent: CommitId | null, ahead: string | null) =>
  handle.run({
    argv: ["sh", "-c", snapshotScript, "sh", parent ?? "-", "Checkpoint", String(packLimit + 1), ahead ?? ""],
    env: ownGit,
    timeoutMs: Duration.toMillis(snapshotTime),
    outputLimit
  })

/** Those of the paths, of files that git does not know yet, that .gitignore excludes. */
export const ignoredAmong = Effect.fnUntraced(function* (handle: SandboxHandle, paths: ReadonlyArray<string>) {
  const { exitCode, output, timedOut } = yield* handle.run({
    argv: ["git", "check-ignore", "-z", "--stdin"],
    env: ownGit,
    stdin: new TextEncoder().encode(paths.map((path) => `${path}\0`).join("")),
    timeoutMs: Duration.toMillis(snapshotTime),
    outputLimit: packLimit
  })
  if (timedOut || exitCode > 1) return yield* new SnapshotFailed({ reason: "git", detail: lastLine(output) })
  const ignored: ReadonlySet<string> = new Set(output.split("\0"))
  return ignored
})

const lastLine = (output: string) => output.trimEnd().split("\n").at(-1) ?? ""

const saved =
  /^saved (?<commit>[0-9a-f]+)(?: (?<files>\d+) files? changed)?(?:, (?<additions>\d+) insertions?\(\+\))?(?:, (?<deletions>\d+) deletions?\(-\))?$/
const isCommitId = Schema.is(CommitId)

const read = Effect.fnUntraced(function* (result: CommandResult) {
  if (result.timedOut) {
    const seconds = Duration.toSeconds(snapshotTime)
    return yield* new SnapshotFailed({ reason: "timeout", detail: `saving the files took more than ${seconds} s` })
  }
  const line = lastLine(result.output)
  if (result.exitCode === 0 && line === "unchanged") return Option.none<Snapshot>()
  const { additions, commit, deletions, files } = saved.exec(line)?.groups ?? {}
  if (result.exitCode !== 0 || !isCommitId(commit)) {
    const reason = /No space left|Disk quota exceeded/.test(result.output) ? "no_space" : "git"
    return yield* new SnapshotFailed({ reason, detail: line.slice(0, 300) })
  }
  return Option.some<Snapshot>({
    commit,
    files: Number(files ?? 0),
    additions: Number(additions ?? 0),
    deletions: Number(deletions ?? 0)
  })
})

/**
 * The pack of the snapshot that was just taken, without what `have` has already: in one piece when it is small, which
 * costs a tenth of a stream.
 */
export const collect = (
  handle: SandboxHandle,
  commit: CommitId,
  have: CommitId | null
): Effect.Effect<Uint8Array | Stream.Stream<Uint8Array, PipeFailed | SandboxLost>, SandboxLost> =>
  handle.readFile(`${handle.root}/.git/errand/outgoing`, { offset: 0, limit: packLimit }).pipe(
    Effect.map(({ bytes, size }) => (size > bytes.length ? stream(handle, commit, have) : bytes)),
    Effect.catchTag("SandboxFileError", () => Effect.succeed(stream(handle, commit, have)))
  )

const stream = (handle: SandboxHandle, commit: CommitId, have: CommitId | null) =>
  handle.pipe(
    [
      ...cleanly,
      "git",
      `--git-dir=${handle.root}/.git/errand`,
      "pack-objects",
      "--revs",
      "--stdout",
      "--quiet",
      "--thin",
      "--delta-base-offset"
    ],
    Stream.make(new TextEncoder().encode(have === null ? `${commit}\n` : `${commit}\n^${have}\n`))
  )
