/** What was done in a task, read from SQLite: runs, tool calls, checkpoints, the log. */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect, Option } from "effect"
import type { CommitId, TaskId, ToolCallId } from "../../../services/Ids.ts"
import type { Checkpoint, PageRequest, Run, ToolCall } from "../../../services/TaskRepo.ts"
import type { TaskStatus } from "../../../services/TaskStatus.ts"
import { decoding } from "../../sqlite/rows.ts"
import { positionOf, toPage } from "../pages.ts"
import { presentLine } from "./presentLine.ts"

interface ToolCallRow {
  readonly position: number
  readonly id: ToolCallId
  readonly run: number
  readonly tool: string
  readonly bytes: number | null
  readonly is_error: number | null
  readonly exit_code: number | null
  readonly started_at: string
  readonly finished_at: string | null
  readonly duration_ms: number | null
  readonly input: string
  readonly output: string | null
}

const toToolCall = (row: ToolCallRow): ToolCall => ({
  id: row.id,
  run: row.run,
  tool: row.tool,
  input: JSON.parse(row.input),
  output: row.output,
  bytes: row.bytes,
  isError: row.is_error === null ? null : row.is_error === 1,
  exitCode: row.exit_code,
  startedAt: row.started_at,
  finishedAt: row.finished_at,
  durationMs: row.duration_ms
})

interface CheckpointRow {
  readonly position: number
  readonly commit_id: CommitId
  readonly run: number
  readonly files: number
  readonly additions: number
  readonly deletions: number
  readonly delivered_commit: CommitId | null
  readonly superseded: number
  readonly created_at: string
}

const toCheckpoint = (row: CheckpointRow): Checkpoint => ({
  commit: row.commit_id,
  run: row.run,
  files: row.files,
  additions: row.additions,
  deletions: row.deletions,
  deliveredCommit: row.delivered_commit,
  superseded: row.superseded === 1,
  createdAt: row.created_at
})

interface RunRow {
  readonly number: number
  readonly reason: string
  readonly started_at: string
  readonly ended_at: string | null
  readonly outcome: TaskStatus | null
}

const toRun = (row: RunRow): Run => ({
  number: row.number,
  reason: row.reason,
  startedAt: row.started_at,
  endedAt: row.ended_at,
  outcome: row.outcome
})

interface LogChunkRow {
  readonly start: number
  readonly bytes: Uint8Array
}

export const makeWorkReads = Effect.map(SqlClient, (sql) => {
  const checkpointsOf = (id: TaskId) => sql`
    WITH RECURSIVE ${presentLine(sql, id)}
    SELECT checkpoints.*, path.line IS NULL AS superseded FROM checkpoints
    LEFT JOIN path ON path.line = checkpoints.line AND position <= path.checkpoints
    WHERE task_id = ${id}`

  const toolCalls = Effect.fn("TaskRepo.toolCalls")(function* (id: TaskId, page: PageRequest) {
    const rows = yield* sql<ToolCallRow>`
      SELECT * FROM tool_calls WHERE task_id = ${id} AND position > ${positionOf(page, 0)}
      ORDER BY position LIMIT ${page.limit + 1}`
    return yield* decoding("tool_calls", () => toPage(rows, page, (row) => row.position, toToolCall))
  }, Effect.orDie)

  const toolCall = Effect.fn("TaskRepo.toolCall")(function* (id: TaskId, call: ToolCallId) {
    const [row] = yield* sql<ToolCallRow>`SELECT * FROM tool_calls WHERE task_id = ${id} AND id = ${call}`
    return row === undefined ? Option.none() : Option.some(yield* decoding("tool_calls", () => toToolCall(row)))
  }, Effect.orDie)

  const checkpoints = Effect.fn("TaskRepo.checkpoints")(function* (id: TaskId, page: PageRequest) {
    const rows = yield* sql<CheckpointRow>`${checkpointsOf(id)}
      AND position < ${positionOf(page, Number.MAX_SAFE_INTEGER)} ORDER BY position DESC LIMIT ${page.limit + 1}`
    return toPage(rows, page, (row) => row.position, toCheckpoint)
  }, Effect.orDie)

  const checkpoint = Effect.fn("TaskRepo.checkpoint")(function* (id: TaskId, commit: CommitId) {
    const rows = yield* sql<CheckpointRow>`${checkpointsOf(id)}
      AND commit_id = ${commit} ORDER BY position DESC LIMIT 1`
    return Option.map(Option.fromNullable(rows[0]), toCheckpoint)
  }, Effect.orDie)

  const runs = Effect.fn("TaskRepo.runs")(function* (id: TaskId) {
    const rows = yield* sql<RunRow>`SELECT * FROM runs WHERE task_id = ${id} ORDER BY number`
    return rows.map(toRun)
  }, Effect.orDie)

  const log = Effect.fn("TaskRepo.log")(function* (id: TaskId, start: number, length: number) {
    const sizes = yield* sql<{ log_bytes: number }>`SELECT log_bytes FROM tasks WHERE id = ${id}`
    const size = sizes[0]?.log_bytes ?? 0
    const end = Math.min(start + length, size)
    const rows = yield* sql<LogChunkRow>`
      SELECT start, bytes FROM log_chunks
      WHERE task_id = ${id} AND start < ${end} AND start >= (
        SELECT coalesce(max(start), 0) FROM log_chunks WHERE task_id = ${id} AND start <= ${start}
      ) ORDER BY start`
    const found = Buffer.concat(rows.map((row) => row.bytes))
    const skipped = start - (rows[0]?.start ?? start)
    return { bytes: new Uint8Array(found.subarray(skipped, skipped + Math.max(end - start, 0))), size }
  }, Effect.orDie)

  return { toolCalls, toolCall, checkpoints, checkpoint, runs, log }
})
