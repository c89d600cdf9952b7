/** Schedules in the tables `schedules` and `schedule_runs`. */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect, Layer, Option } from "effect"
import { type Schedule, type ScheduleRun, runsKept, Schedules } from "../services/Schedules.ts"
import { makeSchedules } from "./schedules/makeSchedules.ts"
import type { ScheduleStore, StoredSchedule } from "./schedules/ScheduleStore.ts"
import { decoding } from "./sqlite/rows.ts"
import { keyOf, toPage } from "./tasks/pages.ts"

const toRow = ({ schedule, settledAt }: StoredSchedule) => ({
  id: schedule.id,
  owner: schedule.owner,
  title: schedule.title,
  cron: schedule.cron,
  time_zone: schedule.timeZone,
  overlap: schedule.overlap,
  catch_up: schedule.catchUp,
  catch_up_window_seconds: schedule.catchUpWindowSeconds,
  enabled: schedule.enabled ? 1 : 0,
  next_run_at: schedule.nextRunAt,
  settled_at: settledAt,
  created_at: schedule.createdAt,
  updated_at: schedule.updatedAt,
  task: JSON.stringify(schedule.task)
})
type Row = ReturnType<typeof toRow>

const fromRow = (row: Row): StoredSchedule => ({
  schedule: {
    id: row.id,
    owner: row.owner,
    title: row.title,
    cron: row.cron,
    timeZone: row.time_zone,
    task: JSON.parse(row.task),
    overlap: row.overlap,
    catchUp: row.catch_up,
    catchUpWindowSeconds: row.catch_up_window_seconds,
    enabled: row.enabled === 1,
    nextRunAt: row.next_run_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at
  },
  settledAt: row.settled_at
})

const scheduleOf = (row: Row): Schedule => fromRow(row).schedule

const toRunRow = (run: ScheduleRun) => ({
  slot: run.slot,
  through: run.through,
  status: run.status,
  reason: run.reason,
  detail: run.detail,
  task_id: run.taskId,
  blocked_by: run.blockedBy,
  recorded_at: run.recordedAt
})
type RunRow = ReturnType<typeof toRunRow>

const fromRunRow = (row: RunRow): ScheduleRun => ({
  slot: row.slot,
  through: row.through,
  status: row.status,
  reason: row.reason,
  detail: row.detail,
  taskId: row.task_id,
  blockedBy: row.blocked_by,
  recordedAt: row.recorded_at
})

const scheduleStore = (sql: SqlClient): ScheduleStore => ({
  count: (owner) =>
    sql<{ found: number }>`SELECT count(*) AS found FROM schedules WHERE owner = ${owner}`.pipe(
      Effect.map((rows) => rows[0]?.found ?? 0),
      Effect.orDie
    ),
  load: Effect.fnUntraced(function* (id) {
    const [row] = yield* sql<Row>`SELECT * FROM schedules WHERE id = ${id}`
    return row === undefined ? Option.none() : Option.some(yield* decoding("schedules", () => fromRow(row)))
  }, Effect.orDie),
  list: Effect.fnUntraced(function* (owner, page) {
    const [createdAt = "", id = ""] = Option.match(keyOf(page), {
      onNone: () => ["9999", ""],
      onSome: (key) => key.split(" ")
    })
    const rows = yield* sql<Row>`
      SELECT * FROM schedules WHERE owner = ${owner} AND (created_at, id) < (${createdAt}, ${id})
      ORDER BY created_at DESC, id DESC LIMIT ${page.limit + 1}`
    return yield* decoding("schedules", () => toPage(rows, page, (row) => `${row.created_at} ${row.id}`, scheduleOf))
  }, Effect.orDie),
  insert: (stored) => Effect.orDie(sql`INSERT INTO schedules ${sql.insert(toRow(stored))}`),
  replace: (stored) => {
    const row = toRow(stored)
    return Effect.orDie(sql`UPDATE schedules SET ${sql.update(row, ["id"])} WHERE id = ${row.id}`)
  },
  erase: (id) => Effect.orDie(sql`DELETE FROM schedules WHERE id = ${id}`),
  due: Effect.fnUntraced(function* (at, limit) {
    const rows = yield* sql<Row>`
      SELECT * FROM schedules WHERE next_run_at <= ${at} ORDER BY next_run_at, id LIMIT ${limit}`
    return yield* decoding("schedules", () => rows.map(scheduleOf))
  }, Effect.orDie),
  earliest: sql<{ next: string | null }>`SELECT min(next_run_at) AS next FROM schedules`.pipe(
    Effect.map((rows) => Option.fromNullable(rows[0]?.next)),
    Effect.orDie
  ),
  record: Effect.fnUntraced(function* (id, run) {
    yield* sql`INSERT INTO schedule_runs ${sql.insert({ schedule_id: id, ...toRunRow(run) })}`
    yield* sql`
      DELETE FROM schedule_runs WHERE schedule_id = ${id} AND slot <= (
        SELECT slot FROM schedule_runs WHERE schedule_id = ${id} ORDER BY slot DESC LIMIT 1 OFFSET ${runsKept}
      )`
  }, Effect.orDie),
  runs: Effect.fnUntraced(function* (id, page) {
    const before = Option.getOrElse(keyOf(page), () => "9999")
    const rows = yield* sql<RunRow>`
      SELECT * FROM schedule_runs WHERE schedule_id = ${id} AND slot < ${before}
      ORDER BY slot DESC LIMIT ${page.limit + 1}`
    return yield* decoding("schedule_runs", () => toPage(rows, page, ({ slot }) => slot, fromRunRow))
  }, Effect.orDie)
})

export const layer = Layer.effect(
  Schedules,
  Effect.flatMap(SqlClient, (sql) => makeSchedules(scheduleStore(sql)))
)
