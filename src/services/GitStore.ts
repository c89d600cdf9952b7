/**
 * The server's own bare repositories: one for each user and remote.
 *
 * Owns: fetching from and pushing to remotes with the stored credential, taking packs from sandboxes and giving packs
 * to them, commits made by the server, and reading differences. Only the server writes here; no work tree exists, and
 * git never runs in a directory that an agent can write.
 * Does not own: the clone inside the sandbox (`agent/workspace.ts`), which URLs are allowed (`RepositoryUrl.ts`).
 */
import { Context, type Effect, type Option, Schema, type Stream } from "effect"
import type { UserId } from "./Ids.ts"
import { CommitId } from "./Ids.ts"
import type { Edit } from "./Sandbox.ts"
import type { Timestamp } from "./Task.ts"
import type { StorageFull } from "./Transaction.ts"

/** The remote can't be read or written. `retryable`: it may work later without anybody's doing. */
export class RemoteFailed extends Schema.TaggedError<RemoteFailed>()("RemoteFailed", {
  /** `no_space`: on this server's disk. */
  reason: Schema.Literal(
    "auth",
    "not_found",
    "network",
    "ref_not_found",
    "too_large",
    "timeout",
    "refused",
    "no_space",
    "other"
  ),
  retryable: Schema.Boolean,
  /** One line for people, without any credential. */
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** Somebody else moved the remote branch: it is never overwritten. `actual` is null when the branch is gone. */
export class BranchMoved extends Schema.TaggedError<BranchMoved>()("BranchMoved", {
  branch: Schema.String,
  actual: Schema.NullOr(CommitId)
}) {
  override get message() {
    return `The branch ${this.branch} was changed at the remote; Errand does not overwrite it.`
  }
}

/** What came from a sandbox is not a sound, bounded set of objects; nothing of it was kept. */
export class PackRefused extends Schema.TaggedError<PackRefused>()("PackRefused", {
  detail: Schema.String,
  /** Id of the object that git's checks refuse, when it is one. */
  object: Schema.optionalWith(Schema.String, { exact: true })
}) {
  override get message() {
    return this.detail
  }
}

/** One bare repository. */
export interface StoreKey {
  readonly owner: UserId
  readonly url: string
}

/** Where a task starts. `commit` is null in an empty repository, and then `ref` is the branch its HEAD names. */
export interface StartPoint {
  readonly ref: string
  readonly commit: CommitId | null
}

export const FileChange = Schema.Struct({
  /** Stable while neither side of the file changes: a hash of paths and blobs. */
  id: Schema.String,
  path: Schema.String,
  oldPath: Schema.NullOr(Schema.String),
  status: Schema.Literal("added", "modified", "deleted", "renamed", "copied", "type_changed"),
  binary: Schema.Boolean,
  submodule: Schema.Boolean,
  /** As `git diff --numstat` counts; 0 for binary files. */
  additions: Schema.Int,
  deletions: Schema.Int
}).annotations({ identifier: "FileChange" })
export interface FileChange extends Schema.Schema.Type<typeof FileChange> {}

export const DiffLine = Schema.Struct({
  kind: Schema.Literal("context", "addition", "deletion"),
  text: Schema.String,
  oldLine: Schema.NullOr(Schema.Int),
  newLine: Schema.NullOr(Schema.Int),
  /** False when the file ends after this line without a line break. */
  newline: Schema.Boolean
}).annotations({ identifier: "DiffLine" })

export const Hunk = Schema.Struct({
  oldStart: Schema.Int,
  oldLines: Schema.Int,
  newStart: Schema.Int,
  newLines: Schema.Int,
  heading: Schema.String,
  lines: Schema.Array(DiffLine)
}).annotations({ identifier: "Hunk" })
export interface Hunk extends Schema.Schema.Type<typeof Hunk> {}

export interface Diff {
  readonly files: ReadonlyArray<FileChange>
  readonly additions: number
  readonly deletions: number
  /** True when there were more files than `limits.files`. */
  readonly truncated: boolean
}

export interface CommitSpec {
  /** The commit whose tree becomes the new commit's tree. */
  readonly tree: CommitId
  readonly parents: ReadonlyArray<CommitId>
  readonly message: string
  /** The date of author and committer, of which whole seconds count. */
  readonly at: Timestamp
  /** The name under which the commit is kept until it is forgotten, as in `receive`. */
  readonly keep: string
  readonly author: { readonly name: string; readonly email: string }
}

/** Whether these edits can be saved just as they are only git can tell, with the whole tree before it. */
export class EditsUnfit extends Schema.TaggedError<EditsUnfit>()("EditsUnfit", {}) {}

export interface CheckpointSpec<E> {
  /** The commit to build on, and to compare with. */
  readonly parent: CommitId
  /** The private ref that moves from `expected` (null: absent) to the new commit, as in `receive`. */
  readonly keep: { readonly name: string; readonly expected: CommitId | null }
  readonly at: Timestamp
  readonly work:
    | {
        /** What has become of files since `parent`. */
        readonly edits: ReadonlyArray<Edit>
        /** Asked for the files that `parent` does not have; gives those that stay out of the checkpoint. */
        readonly ignored: (paths: ReadonlyArray<string>) => Effect.Effect<ReadonlySet<string>, E>
      }
    | {
        /** A commit of the store that holds the whole work. */
        readonly tree: CommitId
      }
}

/** What a checkpoint differs from its parent in, counted as `git diff --shortstat` does. */
export interface MadeCheckpoint {
  readonly commit: CommitId
  /** The name of its tree. */
  readonly tree: string
  readonly files: number
  readonly additions: number
  readonly deletions: number
}

export class GitStore extends Context.Tag("errand/services/GitStore")<
  GitStore,
  {
    /** Fetches `ref` (a branch, a tag, a commit, or the default branch) and says where it points. */
    readonly fetch: (key: StoreKey, ref: Option.Option<string>) => Effect.Effect<StartPoint, RemoteFailed>
    /** A pack with everything that `want` needs and `have` does not; every commit must be in the store. */
    readonly pack: (
      key: StoreKey,
      want: ReadonlyArray<CommitId>,
      have: ReadonlyArray<CommitId>
    ) => Stream.Stream<Uint8Array, RemoteFailed>
    /**
     * Takes a pack from a sandbox and keeps `commit` under a private ref of this task. Objects are checked, size and time
     * bounded, and nothing is kept when the commit is not whole.
     */
    readonly receive: <E>(
      key: StoreKey,
      keep: { readonly name: string; readonly commit: CommitId; readonly expected: CommitId | null },
      pack: Uint8Array | Stream.Stream<Uint8Array, E>
    ) => Effect.Effect<void, E | PackRefused | StorageFull>
    /** Makes a checkpoint from what the server knows of the work, and keeps it; none when it would hold the same files. */
    readonly checkpoint: <E>(
      key: StoreKey,
      spec: CheckpointSpec<E>
    ) => Effect.Effect<Option.Option<MadeCheckpoint>, E | EditsUnfit | PackRefused | StorageFull>
    /** Forgets every private ref under a name; objects go with the next clean-up. */
    readonly forget: (key: StoreKey, name: string) => Effect.Effect<void>
    /** Makes a commit in the store. The same spec always gives the same commit. */
    readonly commit: (key: StoreKey, spec: CommitSpec) => Effect.Effect<CommitId, PackRefused | StorageFull>
    /** True when `commit` made this one, on top of `parent` (null: of nothing), and it is still kept under that name. */
    readonly hasMade: (
      key: StoreKey,
      made: { readonly keep: string; readonly commit: CommitId; readonly parent: CommitId | null }
    ) => Effect.Effect<boolean>
    readonly hasCommit: (key: StoreKey, commit: CommitId) => Effect.Effect<boolean>
    /** True when both commits hold the same files. */
    readonly sameTree: (key: StoreKey, a: CommitId, b: CommitId) => Effect.Effect<boolean>
    /**
     * Pushes one commit to one branch, only if the remote branch is still at `expected` (null: absent).
     * A push that had already arrived succeeds again.
     */
    readonly push: (
      key: StoreKey,
      target: { readonly branch: string; readonly commit: CommitId; readonly expected: CommitId | null }
    ) => Effect.Effect<void, RemoteFailed | BranchMoved>
    /**
     * Paths that differ between two commits and that a pattern names (a file, a directory with all in it, `*` and `**`;
     * in any case of letters); `from` null stands for nothing at all. The first of them, at most 100 and 6,000 bytes.
     */
    readonly changedPaths: (
      key: StoreKey,
      from: CommitId | null,
      to: CommitId,
      patterns: ReadonlyArray<string>
    ) => Effect.Effect<ReadonlyArray<string>, PackRefused>
    /** Differences between the merge base of `base` and `head`, and `head`; `base` null stands for nothing at all. */
    readonly diff: (key: StoreKey, base: CommitId | null, head: CommitId) => Effect.Effect<Diff, PackRefused>
    /** The hunks of one file; none when the file id is unknown. */
    readonly fileDiff: (
      key: StoreKey,
      base: CommitId | null,
      head: CommitId,
      fileId: string
    ) => Effect.Effect<
      Option.Option<{ readonly file: FileChange; readonly hunks: ReadonlyArray<Hunk>; readonly truncated: boolean }>,
      PackRefused
    >
    /** The whole patch, binary files included, as `git apply` takes it. */
    readonly patch: (key: StoreKey, base: CommitId | null, head: CommitId) => Stream.Stream<Uint8Array, PackRefused>
    /** The first `limit` bytes of a regular file of a commit; none when there is no such file. */
    readonly readFile: (
      key: StoreKey,
      commit: CommitId,
      path: string,
      limit: number
    ) => Effect.Effect<Option.Option<Uint8Array>>
  }
>() {}
