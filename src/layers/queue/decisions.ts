/** What the queue does to a task, decided by the task alone. */
import { Either } from "effect"
import type { Timestamp } from "../../services/Task.ts"
import { TaskChange } from "../../services/TaskChange.ts"
import type { Decide } from "../../services/TaskCommands.ts"
import { isOverdue } from "./queueOrder.ts"
import { mostRecoveries } from "./suspicion.ts"

const change = (...changes: ReadonlyArray<TaskChange>) => Either.right(changes)

const setAside = TaskChange.Failed({
  error: {
    code: "poisoned",
    message:
      `The server or the sandbox broke down ${mostRecoveries + 1} times in a row during this task, without one step done in between, ` +
      "the last time when nothing else had broken down for a while: the task itself seems to be the cause. Read its log, " +
      "and retry it when the cause is gone."
  }
})

/** A run that broke down puts its task back by itself, so the recoveries are counted here too. */
export const start: Decide<never> = (task) => {
  if (task.status !== "queued") return change()
  return task.queuedReason === "recovery" && task.recoveries > mostRecoveries
    ? change(setAside)
    : change(TaskChange.RunStarted({ run: task.runNumber + 1, reason: task.queuedReason }))
}

/** For a task whose run is gone. One that waits for a person needs no run to wait: the answer starts one. */
export const recover: Decide<never> = (task) => {
  if (task.status !== "running") return change()
  return task.recoveries >= mostRecoveries ? change(setAside) : change(TaskChange.Queued({ reason: "recovery" }))
}

/** As `recover`, unless a later run has taken over. */
export const recoverAfter =
  (run: number): Decide<never> =>
  (task) =>
    task.runNumber === run ? recover(task) : change()

export const expire =
  (now: Timestamp): Decide<never> =>
  (task) =>
    task.status === "queued" && isOverdue(task, now)
      ? change(
          TaskChange.Failed({
            error: {
              code: "expired",
              message: `No slot became free before ${task.expiresAt}, when the task expired. Retry it, or give it more time.`
            }
          })
        )
      : change()
