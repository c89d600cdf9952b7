/**
 * Bringing the work back: one commit on one branch, pushed only onto what was there before, and its pull request.
 */
import { Effect, Option } from "effect"
import type { AppConfig } from "../services/AppConfig.ts"
import { type BranchMoved, GitStore } from "../services/GitStore.ts"
import type { CommitId } from "../services/Ids.ts"
import type { Task } from "../services/Task.ts"
import { TaskChange } from "../services/TaskChange.ts"
import { TaskRepo } from "../services/TaskRepo.ts"
import { inSpan } from "../services/traced.ts"
import type { StorageFull } from "../services/Transaction.ts"
import { storeKey } from "./checkpoint.ts"
import { clearCiChanges } from "./ciChanges.ts"
import { TaskFailed, type TaskPaused } from "./outcome.ts"
import { commitMessage } from "./prompt.ts"
import { bringPullRequest } from "./pullRequest.ts"
import { remoteRetries, remoteTrouble } from "./remote.ts"
import type { TaskRun } from "./TaskRun.ts"

const author = { name: "Errand", email: "errand@localhost" }

/** Delivers what was saved, as far as it is not delivered yet. Doing it again after a crash changes nothing. */
export const deliver = Effect.fn("deliver")(function* (run: TaskRun, closingWords: string) {
  yield* bringBranch(run, closingWords)
  yield* bringPullRequest(run).pipe(inSpan("pull request"))
})

/**
 * Pushes what was saved, if the branch does not hold it yet.
 *
 * A commit stands on what its line of work had delivered before, so after a rewind Errand takes its own branch back:
 * what the rewind left behind is no part of its history any more.
 */
const bringBranch = Effect.fnUntraced(function* (run: TaskRun, closingWords: string) {
  const task = yield* run.task
  if (task.headCommit === null) return
  const before = deliveredBefore(task)
  const unchanged = before !== null && (yield* holds(task, before, task.headCommit))
  if (unchanged && before === (task.pushedCommit ?? task.baseCommit)) return
  if (task.delivery !== "none") yield* run.record([TaskChange.DeliveryStarted()])
  yield* clearCiChanges(run, task.headCommit)
  if (task.delivery === "none") return
  const commit = unchanged
    ? yield* push(run, { commit: before, expected: task.pushedCommit }).pipe(Effect.catchTag("BranchMoved", moved))
    : yield* pushWork(run, closingWords, { parent: before, expected: task.pushedCommit })
  yield* run.record([TaskChange.BranchPushed({ branch: task.branch, commit })])
})

/** What the present line of work has delivered so far, or where it began. */
const deliveredBefore = (task: Task) => task.deliveredCommit ?? task.baseCommit

const holds = Effect.fnUntraced(function* (task: Task, before: CommitId, head: CommitId) {
  const store = yield* GitStore
  return head === before || (yield* store.sameTree(storeKey(task), before, head))
})

/** Where a delivery goes: its commit stands on `parent`, and the remote branch should be at `expected`. */
interface Place {
  readonly parent: CommitId | null
  readonly expected: CommitId | null
}

type Pushing = Effect.Effect<CommitId, TaskFailed | TaskPaused | StorageFull, AppConfig | GitStore | TaskRepo>

/**
 * Pushes the work as one commit and says where the branch is then. A run that died right after its push has left a
 * commit of Errand's own there that nobody wrote down: it is the delivery, or the work that was done since stands on it.
 */
const pushWork = (run: TaskRun, closingWords: string, { expected, parent }: Place): Pushing =>
  Effect.gen(function* () {
    const store = yield* GitStore
    const task = yield* run.task
    const key = storeKey(task)
    const work = yield* makeCommit(task, closingWords, parent)
    const own = Effect.fnUntraced(function* (error: BranchMoved) {
      const { actual } = error
      if (actual === null || !(yield* store.hasMade(key, { keep: task.id, commit: actual, parent }))) {
        return yield* moved(error)
      }
      if (yield* store.sameTree(key, actual, work)) return actual
      return yield* pushWork(run, closingWords, { parent: actual, expected: actual })
    })
    return yield* push(run, { commit: work, expected }).pipe(Effect.catchTag("BranchMoved", own))
  })

const makeCommit = Effect.fnUntraced(function* (task: Task, closingWords: string, parent: CommitId | null) {
  const store = yield* GitStore
  const repo = yield* TaskRepo
  const { headCommit: tree } = task
  if (tree === null) return yield* Effect.dieMessage("a delivery needs a checkpoint")
  const saved = yield* repo.checkpoint(task.id, tree)
  return yield* store
    .commit(storeKey(task), {
      tree,
      parents: parent === null ? [] : [parent],
      message: commitMessage(task, closingWords),
      // The time of the work, not of this attempt: after a crash the same commit is made again.
      at: Option.match(saved, { onNone: () => task.createdAt, onSome: ({ createdAt }) => createdAt }),
      keep: task.id,
      author
    })
    .pipe(Effect.catchTag("PackRefused", ({ detail }) => new TaskFailed({ code: "work_refused", message: detail })))
})

const push = Effect.fnUntraced(function* (
  run: TaskRun,
  { commit, expected }: { readonly commit: CommitId; readonly expected: CommitId | null }
) {
  const store = yield* GitStore
  const task = yield* run.task
  const onto = (at: CommitId | null) => store.push(storeKey(task), { branch: task.branch, commit, expected: at })
  yield* onto(expected).pipe(
    // One that was deleted, as after its merge, is made again: nobody's work is there to be overwritten.
    Effect.catchTag("BranchMoved", (error) =>
      error.actual === null && expected !== null ? onto(null) : Effect.fail(error)
    ),
    Effect.retry(remoteRetries(run)),
    inSpan("push"),
    Effect.catchTag("RemoteFailed", remoteTrouble(run))
  )
  return commit
})

const moved = ({ message }: BranchMoved) =>
  new TaskFailed({
    code: "branch_moved",
    message: `${message} The work is kept: see the diff of the task, or retry under a new task.`
  })
