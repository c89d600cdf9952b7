/**
 * Bringing the work back: one commit on one branch, pushed only onto what was there before.
 */
import { Effect } from "effect"
import { GitStore } from "../services/GitStore.ts"
import type { Task } from "../services/Task.ts"
import { TaskChange } from "../services/TaskChange.ts"
import { storeKey } from "./checkpoint.ts"
import { TaskFailed } from "./outcome.ts"
import { commitMessage } from "./prompt.ts"
import { remoteRetries, remoteTrouble } from "./remote.ts"
import type { TaskRun } from "./TaskRun.ts"

const author = { name: "Errand", email: "errand@localhost" }

/** Delivers what was saved, if anything changed since the last delivery. Doing it again after a crash changes nothing. */
export const deliver = Effect.fn("deliver")(function* (run: TaskRun, closingWords: string) {
  const task = yield* run.task
  if (task.delivery === "none" || !(yield* hasNews(task))) return
  yield* run.record([TaskChange.DeliveryStarted()])
  const commit = yield* makeCommit(task, closingWords)
  yield* push(run, task, commit)
  yield* run.record([TaskChange.BranchPushed({ branch: task.branch, commit })])
})

const hasNews = Effect.fnUntraced(function* (task: Task) {
  const store = yield* GitStore
  const { headCommit: head } = task
  const before = task.pushedCommit ?? task.baseCommit
  if (head === null || head === before) return false
  return before === null || !(yield* store.sameTree(storeKey(task), before, head))
})

const makeCommit = Effect.fnUntraced(function* (task: Task, closingWords: string) {
  const store = yield* GitStore
  const parent = task.pushedCommit ?? task.baseCommit
  const { headCommit: tree } = task
  if (tree === null) return yield* Effect.dieMessage("a delivery needs a checkpoint")
  return yield* store
    .commit(storeKey(task), {
      tree,
      parents: parent === null ? [] : [parent],
      message: commitMessage(task, closingWords),
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
