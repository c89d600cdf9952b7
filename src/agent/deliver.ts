/**
 * Bringing the work back: one commit on one branch, pushed only onto what was there before.
 */
import { Effect, Option } from "effect"
import { GitStore } from "../services/GitStore.ts"
import type { CommitId } from "../services/Ids.ts"
import type { Task } from "../services/Task.ts"
import { TaskChange } from "../services/TaskChange.ts"
import { TaskRepo } from "../services/TaskRepo.ts"
import { storeKey } from "./checkpoint.ts"
import { TaskFailed } from "./outcome.ts"
import { commitMessage } from "./prompt.ts"
import { remoteRetries, remoteTrouble } from "./remote.ts"
import type { TaskRun } from "./TaskRun.ts"

const author = { name: "Errand", email: "errand@localhost" }

/**
 * Delivers what was saved, if the branch does not hold it yet. Doing it again after a crash changes nothing.
 *
 * A commit stands on what its line of work had delivered before, so after a rewind Errand takes its own branch back:
 * what the rewind left behind is no part of its history any more.
 */
export const deliver = Effect.fn("deliver")(function* (run: TaskRun, closingWords: string) {
  const task = yield* run.task
  if (task.delivery === "none" || task.headCommit === null) return
  const before = deliveredBefore(task)
  const unchanged = before !== null && (yield* holds(task, before, task.headCommit))
  if (unchanged && before === (task.pushedCommit ?? task.baseCommit)) return
  yield* run.record([TaskChange.DeliveryStarted()])
  const commit = unchanged ? before : yield* makeCommit(task, closingWords)
  yield* push(run, task, commit)
  yield* run.record([TaskChange.BranchPushed({ branch: task.branch, commit })])
})

/** What the present line of work has delivered so far, or where it began. */
const deliveredBefore = (task: Task) => task.deliveredCommit ?? task.baseCommit

const holds = Effect.fnUntraced(function* (task: Task, before: CommitId, head: CommitId) {
  const store = yield* GitStore
  return head === before || (yield* store.sameTree(storeKey(task), before, head))
})

const makeCommit = Effect.fnUntraced(function* (task: Task, closingWords: string) {
  const store = yield* GitStore
  const repo = yield* TaskRepo
  const parent = deliveredBefore(task)
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
  task: Task,
  commit: Effect.Effect.Success<ReturnType<typeof makeCommit>>
) {
  const store = yield* GitStore
  yield* store.push(storeKey(task), { branch: task.branch, commit, expected: task.pushedCommit }).pipe(
    Effect.retry(remoteRetries(run)),
    Effect.catchTags({
      RemoteFailed: remoteTrouble,
      BranchMoved: ({ message }) =>
        new TaskFailed({
          code: "branch_moved",
          message: `${message} The work is kept: see the diff of the task, or retry under a new task.`
        })
    })
  )
})
