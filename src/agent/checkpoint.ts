/**
 * Saving the work: the work tree as a commit in the server's own store, outside the sandbox.
 */
import { Effect, Option, Ref, Schedule } from "effect"
import { GitStore, type StoreKey } from "../services/GitStore.ts"
import type { CommitId } from "../services/Ids.ts"
import type { SandboxHandle } from "../services/Sandbox.ts"
import type { Task } from "../services/Task.ts"
import { TaskChange } from "../services/TaskChange.ts"
import { TaskFailed, TaskPaused } from "./outcome.ts"
import { sandboxDiskFull } from "./sandboxTrouble.ts"
import type { TaskRun } from "./TaskRun.ts"
import { collect, snapshot } from "./workspace.ts"

/** Where the work is done: a sandbox with the work tree in it. */
export interface Workplace {
  readonly sandbox: SandboxHandle
  readonly key: StoreKey
  /** Whether the work tree may differ from what was last saved. */
  readonly tree: Ref.Ref<"saved" | "untold" | "touched">
  /** The last checkpoint of this run; each run keeps its checkpoints under a ref of its own. */
  readonly last: Ref.Ref<CommitId | null>
}

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
  const checkpoint = yield* take(run, place)
  yield* record(run, [...results, ...Option.toArray(checkpoint)])
})

/** Looks at the tree itself if the sandbox alone said that nothing had changed: before the work counts as done. */
export const saveForSure = Effect.fnUntraced(function* (run: TaskRun, place: Workplace) {
  if ((yield* Ref.get(place.tree)) === "saved") return
  yield* Ref.set(place.tree, "saved")
  yield* record(run, Option.toArray(yield* take(run, place)))
})

const mayHaveChanged = Effect.fnUntraced(function* ({ sandbox, tree }: Workplace) {
  if ((yield* Ref.get(tree)) !== "touched") return false
  const changed = yield* sandbox.treeChanged
  yield* Ref.set(tree, changed ? "saved" : "untold")
  return changed
})

const record = (run: TaskRun, changes: ReadonlyArray<TaskChange>) =>
  changes.length === 0 ? Effect.void : Effect.asVoid(run.record(changes))

const take = Effect.fnUntraced(
  function* (run: TaskRun, { key, last, sandbox }: Workplace) {
    const store = yield* GitStore
    const task = yield* run.task
    const parent = lastSaved(task)
    const base = task.baseCommit
    const whole = [parent, base].filter((commit) => commit !== null)
    const pack = whole.length === 0 ? null : store.pack(key, whole, [])
    const taken = yield* snapshot(sandbox, { parent, origin: { branch: task.branch, base, pack } })
    if (Option.isNone(taken)) return Option.none<TaskChange>()
    const { additions, commit, deletions, files } = taken.value
    const kept = yield* Ref.get(last)
    const work = yield* collect(sandbox, commit, parent)
    yield* store
      .receive(key, { name: `${task.id}/${run.number}`, commit, expected: kept }, work)
      .pipe(Effect.retry({ while: ({ _tag }) => _tag === "StorageFull", schedule: waitForSpace }))
    yield* Ref.set(last, commit)
    return Option.some<TaskChange>(TaskChange.CheckpointSaved({ commit, files, additions, deletions }))
  },
  Effect.catchTags({
    PackRefused: ({ detail }) =>
      new TaskFailed({
        code: "work_refused",
        message: `The files of the sandbox can't be taken over: ${detail}. The last checkpoint is kept.`
      }),
    PipeFailed: ({ message }) =>
      new TaskFailed({ code: "checkpoint_failed", message: `The work could not be saved: ${message}` }),
    SnapshotFailed: ({ message, reason }) =>
      reason === "no_space"
        ? new TaskPaused({ reason: sandboxDiskFull })
        : new TaskFailed({ code: "checkpoint_failed", message: `The work could not be saved: ${message}` })
  })
)
