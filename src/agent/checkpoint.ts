/**
 * Saving the work: the work tree as a commit in the server's own store, outside the sandbox.
 */
import { DateTime, Effect, Option, Ref, Schedule } from "effect"
import { EditsUnfit, GitStore, type MadeCheckpoint, type StoreKey } from "../services/GitStore.ts"
import type { CommitId } from "../services/Ids.ts"
import type { SandboxHandle } from "../services/Sandbox.ts"
import { type Task, Timestamp } from "../services/Task.ts"
import { TaskChange } from "../services/TaskChange.ts"
import { inSpan } from "../services/traced.ts"
import { TaskFailed, TaskPaused } from "./outcome.ts"
import { sandboxDiskFull } from "./sandboxTrouble.ts"
import { refusedWork } from "./refusedObject.ts"
import type { TaskRun } from "./TaskRun.ts"
import { collect, ignoredAmong, snapshot } from "./workspace.ts"

/** Where the work is done: a sandbox with the work tree in it. */
export interface Workplace {
  readonly sandbox: SandboxHandle
  readonly key: StoreKey
  /**
   * Whether the work tree may differ from what was last saved: `saved` it does not, `touched` a tool has run that may have
   * changed it, `untold` one has, and of what it changed there is only the sandbox's own word.
   */
  readonly tree: Ref.Ref<"saved" | "untold" | "touched">
  readonly commits: Ref.Ref<Commits>
}

/** Where the commits of this run stand. */
export interface Commits {
  /** The last checkpoint; each run keeps its own under a ref of its own. */
  readonly kept: CommitId | null
  /** What the repository in the sandbox is at: it knows nothing of the checkpoints that the server makes of edits. */
  readonly inside: CommitId | null
  /** The last of its commits that was taken beside the checkpoints, after the server had made some. */
  readonly insideKept: CommitId | null
  /** The tree of the last checkpoint where it is another than that of `inside`. */
  readonly ahead: string | null
}

export const noCommits = (inside: CommitId | null): Commits => ({ kept: null, inside, insideKept: null, ahead: null })

export const storeKey = (task: Task): StoreKey => ({ owner: task.owner, url: task.repository.url })

/** A sandbox with unsaved work is kept for a while when the disk is full: what is in it would have to be done again. */
const waitForSpace = Schedule.spaced("2 seconds").pipe(Schedule.upTo("1 minute"))

/** The commit that holds the work as it was last saved, or where the task began. */
export const lastSaved = (task: Task) => task.headCommit ?? task.baseCommit

/**
 * Stores `news` at once, then saves what has changed in the work tree, and stores `results` together with that
 * checkpoint in one piece.
 */
export const save = Effect.fnUntraced(function* (
  run: TaskRun,
  place: Workplace,
  news: ReadonlyArray<TaskChange>,
  results: ReadonlyArray<TaskChange>
) {
  if (!(yield* mayHaveChanged(place))) return yield* record(run, [...news, ...results])
  yield* record(run, news)
  const checkpoint = yield* Effect.catchTag(takeEdits(run, place), "EditsUnfit", () => takeAll(run, place)).pipe(
    inSpan("checkpoint")
  )
  yield* record(run, [...results, ...Option.toArray(checkpoint)])
})

/** Looks at the tree itself if the sandbox alone said what had changed, or that nothing had: before the work counts as done. */
export const saveForSure = Effect.fnUntraced(function* (run: TaskRun, place: Workplace) {
  if ((yield* Ref.get(place.tree)) === "saved") return
  yield* Ref.set(place.tree, "saved")
  yield* record(run, Option.toArray(yield* takeAll(run, place).pipe(inSpan("checkpoint"))))
})

const mayHaveChanged = Effect.fnUntraced(function* ({ sandbox, tree }: Workplace) {
  if ((yield* Ref.get(tree)) !== "touched") return false
  const changed = yield* sandbox.treeChanged
  yield* Ref.set(tree, changed ? "saved" : "untold")
  return changed
})

const record = (run: TaskRun, changes: ReadonlyArray<TaskChange>) =>
  changes.length === 0 ? Effect.void : Effect.asVoid(run.record(changes))

const workRefused = (why: string) =>
  new TaskFailed({
    code: "work_refused",
    message: `The files of the sandbox can't be taken over: ${why}. The last checkpoint is kept.`
  })

const saved = ({ additions, commit, deletions, files }: Omit<MadeCheckpoint, "tree">): TaskChange =>
  TaskChange.CheckpointSaved({ commit, files, additions, deletions })

const keepName = (task: Task, run: TaskRun) => `${task.id}/${run.number}`

/** Saves what was edited since the last checkpoint, without starting git, if that can be all that has changed. */
const takeEdits = Effect.fnUntraced(
  function* (run: TaskRun, { commits, key, sandbox, tree }: Workplace) {
    const store = yield* GitStore
    const task = yield* run.task
    const parent = lastSaved(task)
    const edits = yield* sandbox.edits
    if (Option.isNone(edits) || parent === null) return yield* new EditsUnfit()
    const line = yield* Ref.get(commits)
    const made = yield* makeCheckpoint(store, key, {
      parent,
      keep: { name: keepName(task, run), expected: line.kept },
      work: { edits: edits.value, ignored: (paths) => ignoredAmong(sandbox, paths) }
    })
    yield* Ref.set(tree, "untold")
    if (Option.isSome(made)) {
      yield* Ref.set(commits, { ...line, kept: made.value.commit, ahead: made.value.tree })
    }
    return Option.map(made, saved)
  },
  Effect.catchTags({
    PackRefused: () => new EditsUnfit(),
    SnapshotFailed: () => new EditsUnfit()
  })
)

const makeCheckpoint = <E extends { readonly _tag: string } = never>(
  store: GitStore["Type"],
  key: StoreKey,
  spec: Omit<Parameters<typeof store.checkpoint<E>>[1], "at">
) =>
  Effect.flatMap(DateTime.now, (now) =>
    store.checkpoint(key, { ...spec, at: Timestamp.make(DateTime.formatIso(now)) })
  ).pipe(patiently)

const patiently = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.retry(effect, { while: ({ _tag }) => _tag === "StorageFull", schedule: waitForSpace })

/** Lets git look at the whole tree, in the sandbox, and takes what it makes of it. */
const takeAll = Effect.fnUntraced(
  function* (run: TaskRun, { commits, key, sandbox }: Workplace) {
    const store = yield* GitStore
    const task = yield* run.task
    const { ahead, inside, insideKept, kept } = yield* Ref.get(commits)
    const base = task.baseCommit
    const whole = [inside, base].filter((commit) => commit !== null)
    const pack = whole.length === 0 ? null : store.pack(key, whole, [])
    const taken = yield* snapshot(sandbox, { parent: inside, ahead, origin: { branch: task.branch, base, pack } })
    if (Option.isNone(taken)) return Option.none<TaskChange>()
    const { commit } = taken.value
    const name = keepName(task, run)
    const work = yield* collect(sandbox, commit, inside)
    const take = (keep: { readonly name: string; readonly expected: CommitId | null }) =>
      store.receive(key, { ...keep, commit }, work).pipe(
        patiently,
        Effect.catchTag("PackRefused", (error) => Effect.flatMap(refusedWork(sandbox, commit, error), workRefused))
      )
    const parent = lastSaved(task)
    if (parent === null || parent === inside) {
      yield* take({ name, expected: kept })
      yield* Ref.set(commits, { kept: commit, inside: commit, insideKept, ahead: null })
      return Option.some(saved(taken.value))
    }
    yield* take({ name: `${name}/inside`, expected: insideKept })
    const made = yield* makeCheckpoint(store, key, { parent, keep: { name, expected: kept }, work: { tree: commit } })
    yield* Ref.set(commits, {
      kept: Option.match(made, { onNone: () => kept, onSome: ({ commit }) => commit }),
      inside: commit,
      insideKept: commit,
      ahead: null
    })
    return Option.map(made, saved)
  },
  Effect.catchTags({
    PackRefused: ({ detail }) => workRefused(detail),
    PipeFailed: ({ message }) =>
      new TaskFailed({ code: "checkpoint_failed", message: `The work could not be saved: ${message}` }),
    SnapshotFailed: ({ message, reason }) =>
      reason === "no_space"
        ? new TaskPaused({ reason: sandboxDiskFull })
        : new TaskFailed({ code: "checkpoint_failed", message: `The work could not be saved: ${message}` })
  })
)
