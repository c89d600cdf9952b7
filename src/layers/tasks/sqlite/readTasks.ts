/** Tasks, read from SQLite. */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect, Option } from "effect"
import type { TaskId, UserId } from "../../../services/Ids.ts"
import type { Timestamp } from "../../../services/Task.ts"
import { type PageRequest, type TaskFilter, TaskNotFound } from "../../../services/TaskRepo.ts"
import { finals, type TaskStatus } from "../../../services/TaskStatus.ts"
import { decoding } from "../../sqlite/rows.ts"
import { keyOf, toPage } from "../pages.ts"
import { fromRow, type TaskRow } from "./taskRow.ts"
import type { TaskSearch } from "./taskSearch.ts"

/** The place of a task in a list: newest first, and the younger id first of those of one millisecond. */
const placeOf = (row: TaskRow): string => `${row.created_at} ${row.id}`

export const makeTaskReads = Effect.fnUntraced(function* (search: TaskSearch) {
  const sql = yield* SqlClient

  const one = Effect.fnUntraced(function* (id: TaskId, rows: ReadonlyArray<TaskRow>) {
    const [row] = rows
    return row === undefined ? yield* new TaskNotFound({ id }) : yield* decoding("tasks", () => fromRow(row))
  })

  const get = Effect.fn("TaskRepo.get")(function* (id: TaskId) {
    return yield* one(id, yield* Effect.orDie(sql<TaskRow>`SELECT * FROM tasks WHERE id = ${id}`))
  })

  const getOwned = Effect.fn("TaskRepo.getOwned")(function* (owner: UserId, id: TaskId) {
    const rows = sql<TaskRow>`SELECT * FROM tasks WHERE id = ${id} AND owner = ${owner}`
    return yield* one(id, yield* Effect.orDie(rows))
  })

  const list = Effect.fn("TaskRepo.list")(function* (filter: TaskFilter, page: PageRequest) {
    const [createdAt = "", id = ""] = Option.match(keyOf(page), {
      onNone: () => ["9999", ""],
      onSome: (key) => key.split(" ")
    })
    const conditions = [
      sql`owner = ${filter.owner}`,
      sql`(created_at, id) < (${createdAt}, ${id})`,
      ...(filter.status === undefined ? [] : [sql`status IN ${sql.in(filter.status)}`]),
      ...(filter.repository === undefined ? [] : [sql`repository_url = ${filter.repository}`]),
      ...(filter.schedule === undefined ? [] : [sql`schedule_id = ${filter.schedule}`]),
      ...(filter.tag === undefined ? [] : [sql`EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ${filter.tag})`]),
      ...(filter.q === undefined ? [] : yield* search.conditions(filter.q))
    ]
    const rows = yield* sql<TaskRow>`
      SELECT * FROM tasks WHERE ${sql.and(conditions)} ORDER BY created_at DESC, id DESC LIMIT ${page.limit + 1}`
    return yield* decoding("tasks", () => toPage(rows, page, placeOf, fromRow))
  }, Effect.orDie)

  const withStatus = Effect.fn("TaskRepo.withStatus")(function* (statuses: ReadonlyArray<TaskStatus>) {
    const rows = yield* sql<TaskRow>`SELECT * FROM tasks WHERE status IN ${sql.in(statuses)} ORDER BY created_at, id`
    return yield* decoding("tasks", () => rows.map(fromRow))
  }, Effect.orDie)

  const queuedCount = Effect.fn("TaskRepo.queuedCount")(function* (owner: UserId) {
    const rows = yield* sql<{ readonly count: number }>`
      SELECT count(*) AS count FROM tasks WHERE status = 'queued' AND owner = ${owner}`
    return rows[0]?.count ?? 0
  }, Effect.orDie)

  const endedBefore = Effect.fn("TaskRepo.endedBefore")(function* (before: Timestamp, limit: number) {
    const rows = yield* sql<TaskRow>`
      SELECT * FROM tasks WHERE status IN ${sql.in(finals)} AND finished_at < ${before}
      ORDER BY finished_at, id LIMIT ${limit}`
    return yield* decoding("tasks", () => rows.map(fromRow))
  }, Effect.orDie)

  const withPullRequest = Effect.fn("TaskRepo.withPullRequest")(function* (url: string) {
    const rows = yield* sql<TaskRow>`SELECT * FROM tasks WHERE pull_request_url = ${url} ORDER BY created_at, id`
    return yield* decoding("tasks", () => rows.map(fromRow))
  }, Effect.orDie)

  return { get, getOwned, list, withStatus, queuedCount, withPullRequest, endedBefore }
})
