/**
 * Where a change of a task goes in SQLite.
 *
 * Owns: the rows of `tasks`, which nothing else writes; so those of running tasks are read once and remembered.
 */
import { Effect, Option } from "effect"
import type { TaskId } from "../../../services/Ids.ts"
import type { Task, Timestamp } from "../../../services/Task.ts"
import type { Transaction } from "../../../services/Transaction.ts"
import { decoding } from "../../sqlite/rows.ts"
import { execute, insert } from "../../sqlite/statements.ts"
import type { TaskStorage, Traces } from "../TaskStorage.ts"
import { recordChange } from "./recordChange.ts"
import { difference, fromRow, type TaskRow, toRow } from "./taskRow.ts"
import type { TaskSearch } from "./taskSearch.ts"

const read = Effect.fnUntraced(function* (id: TaskId) {
  const [row] = yield* execute<TaskRow>("SELECT * FROM tasks WHERE id = ?", [id])
  return row === undefined ? Option.none() : Option.some(yield* decoding("tasks", () => fromRow(row)))
})

/** The log ends at byte `end` when `log` is added. */
const addLog = (id: TaskId, log: Uint8Array, end: number) =>
  log.length === 0 ? Effect.void : insert("log_chunks", [{ task_id: id, start: end - log.length, bytes: log }])

const endRun = (task: Task, at: Timestamp) =>
  execute("UPDATE runs SET ended_at = ?, outcome = ? WHERE task_id = ? AND number = ?", [
    at,
    task.status,
    task.id,
    task.runNumber
  ])

export const makeTaskStorage = (search: TaskSearch, transaction: typeof Transaction.Service) => {
  /** As they were committed: from a change until its commit, and after one that was undone, the row counts. */
  const committed = new Map<TaskId, Task>()

  /** Also of one that runs no more: another change of the same commit may have left it running. */
  const remember = (task: Task) => {
    committed.delete(task.id)
    return transaction.afterCommit(
      Effect.sync(() => {
        if (task.status === "running") committed.set(task.id, task)
        else committed.delete(task.id)
      })
    )
  }

  const load = (id: TaskId) => {
    const known = committed.get(id)
    return known === undefined ? read(id) : Effect.succeedSome(known)
  }

  const insertTask = Effect.fnUntraced(function* (task: Task, traces: Traces) {
    const log = Buffer.from(traces.log)
    yield* insert("tasks", [{ ...toRow(task), log_bytes: log.length }])
    yield* addLog(task.id, log, log.length)
    yield* search.add(task.id, traces.searchable)
  })

  const update = Effect.fnUntraced(function* (before: Task, after: Task, traces: Traces) {
    const log = Buffer.from(traces.log)
    const changed = difference(toRow(before), toRow(after))
    const assignments = Object.keys(changed).map((column) => `${column} = ?, `)
    const rows = yield* execute<{ log_bytes: number }>(
      `UPDATE tasks SET ${assignments.join("")}log_bytes = log_bytes + ? WHERE id = ? RETURNING log_bytes`,
      [...Object.values(changed), log.length, after.id]
    )
    yield* remember(after)
    yield* addLog(after.id, log, rows[0]?.log_bytes ?? log.length)
    yield* search.add(after.id, traces.searchable)
  })

  const erase = Effect.fnUntraced(function* (id: TaskId) {
    committed.delete(id)
    yield* search.remove(id)
    yield* execute("DELETE FROM tasks WHERE id = ?", [id])
  })

  return {
    load: (id) => Effect.orDie(load(id)),
    insert: (task, traces) => Effect.orDie(insertTask(task, traces)),
    update: (before, after, traces) => Effect.orDie(update(before, after, traces)),
    record: (task, change, at) => Effect.orDie(recordChange(task, change, at)),
    endRun: (task, at) => Effect.orDie(endRun(task, at)),
    erase: (id) => Effect.orDie(erase(id))
  } satisfies TaskStorage
}
