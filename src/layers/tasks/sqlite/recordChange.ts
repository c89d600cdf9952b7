/** What a change says of runs, messages, tool calls, checkpoints, questions and costs, as rows of their tables. */
import { Effect } from "effect"
import type { SqlError } from "@effect/sql/SqlError"
import type { MessageId } from "../../../services/Ids.ts"
import { dayOf, type Task, type Timestamp } from "../../../services/Task.ts"
import type { ChangeOf, TaskChange } from "../../../services/TaskChange.ts"
import { execute, insert } from "../../sqlite/statements.ts"

/** Adds a row after the last one of its task. */
const append = (table: string, task: Task, row: Readonly<Record<string, unknown>>) => {
  const columns = Object.keys(row)
  const next = `(SELECT coalesce(max(position), 0) + 1 FROM ${table} WHERE task_id = ?)`
  return execute(
    `INSERT INTO ${table} (task_id, position, ${columns.join(", ")}) VALUES (?, ${next}${", ?".repeat(columns.length)})`,
    [task.id, task.id, ...Object.values(row)]
  )
}

const removePending = (task: Task, id: MessageId) =>
  execute("DELETE FROM pending_messages WHERE task_id = ? AND id = ? RETURNING id", [task.id, id])

const addMessage = (task: Task, change: ChangeOf<"MessageAdded">, at: Timestamp) =>
  append("messages", task, {
    id: change.messageId,
    line: task.line,
    role: change.role,
    starts_over: Number(change.startsOver),
    created_at: at,
    content: JSON.stringify(change.content)
  }).pipe(Effect.zipRight(Effect.forEach(change.delivers, (id) => removePending(task, id), { discard: true })))

const addPending = (task: Task, change: ChangeOf<"MessageQueued">, at: Timestamp) =>
  append("pending_messages", task, {
    id: change.messageId,
    mode: change.mode,
    content: change.content,
    created_at: at
  })

/** The model names its calls; one that uses a name again replaces what went by that name. */
const startTool = (task: Task, change: ChangeOf<"ToolStarted">, at: Timestamp) => {
  const row = {
    task_id: task.id,
    id: change.toolCallId,
    run: task.runNumber,
    tool: change.tool,
    started_at: at,
    input: JSON.stringify(change.input ?? null)
  }
  return insert(
    "tool_calls",
    [row],
    `ON CONFLICT (task_id, id) DO UPDATE SET run = excluded.run, tool = excluded.tool, started_at = excluded.started_at,
      input = excluded.input, output = NULL, bytes = NULL, is_error = NULL, exit_code = NULL, finished_at = NULL,
      duration_ms = NULL`
  )
}

const finishTool = (task: Task, change: ChangeOf<"ToolFinished">, at: Timestamp) =>
  execute(
    `UPDATE tool_calls SET output = ?, bytes = ?, is_error = ?, exit_code = ?, finished_at = ?, duration_ms = ?
      WHERE task_id = ? AND id = ?`,
    [
      change.output,
      change.bytes,
      Number(change.isError),
      change.exitCode,
      at,
      change.durationMs,
      task.id,
      change.toolCallId
    ]
  )

/** It belongs to the conversation as it is at this moment. */
const addCheckpoint = (task: Task, change: ChangeOf<"CheckpointSaved">, at: Timestamp) =>
  execute(
    `INSERT INTO checkpoints
      (task_id, position, messages, commit_id, run, line, delivered_commit, files, additions, deletions, created_at)
      VALUES (?, (SELECT coalesce(max(position), 0) + 1 FROM checkpoints WHERE task_id = ?),
        (SELECT coalesce(max(position), 0) FROM messages WHERE task_id = ?), ?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      task.id,
      task.id,
      task.id,
      change.commit,
      task.runNumber,
      task.line,
      task.deliveredCommit,
      change.files,
      change.additions,
      change.deletions,
      at
    ]
  )

/** The new line leaves that of the checkpoint; where the task began there is no checkpoint, and no line to leave. */
const beginLine = (task: Task, { checkpoint }: ChangeOf<"Rewound">) =>
  execute(
    `INSERT INTO lines (task_id, number, parent, messages, checkpoints)
      SELECT task_id, ?, line, messages, position FROM checkpoints
      WHERE task_id = ? AND commit_id = ? ORDER BY position DESC LIMIT 1`,
    [task.line, task.id, checkpoint]
  )

const countResponse = (task: Task, change: ChangeOf<"ResponseCounted">, at: Timestamp) => {
  const row = {
    task_id: task.id,
    response_id: change.responseId,
    owner: task.owner,
    repository_url: task.repository.url,
    model: change.model,
    at,
    day: dayOf(at),
    input_tokens: change.usage.inputTokens,
    output_tokens: change.usage.outputTokens,
    cache_read_tokens: change.usage.cacheReadTokens,
    cache_write_tokens: change.usage.cacheWriteTokens,
    cost_usd: change.usage.costUsd
  }
  return insert("usage", [row], "ON CONFLICT DO NOTHING RETURNING response_id")
}

const openQuestion = (task: Task, change: ChangeOf<"QuestionOpened">, at: Timestamp) => {
  const row = {
    id: change.questionId,
    task_id: task.id,
    owner: task.owner,
    tool_call_id: change.toolCallId,
    commit_id: change.commit ?? null,
    revision: 1,
    kind: change.kind,
    status: "open",
    title: change.title,
    detail: change.detail,
    choices: JSON.stringify(change.choices),
    default_answer: JSON.stringify(change.default),
    expires_at: change.expiresAt,
    created_at: at
  }
  return insert("questions", [row])
}

const closeQuestion = (task: Task, change: ChangeOf<"QuestionClosed">, at: Timestamp) =>
  execute(
    `UPDATE questions SET status = ?, answer = ?, closed_at = ?, revision = revision + 1
      WHERE id = ? AND task_id = ? AND status = 'open' RETURNING id`,
    [change.outcome, JSON.stringify(change.answer), at, change.questionId, task.id]
  )

const startRun = (task: Task, change: ChangeOf<"RunStarted">, at: Timestamp) =>
  insert("runs", [{ task_id: task.id, number: change.run, reason: change.reason, started_at: at }])

/** Everything about the task but what may come too late. */
const addTo = (task: Task, change: TaskChange, at: Timestamp): Effect.Effect<unknown, SqlError> => {
  switch (change._tag) {
    case "RunStarted":
      return startRun(task, change, at)
    case "MessageAdded":
      return addMessage(task, change, at)
    case "MessageQueued":
      return addPending(task, change, at)
    case "ToolStarted":
      return startTool(task, change, at)
    case "ToolFinished":
      return finishTool(task, change, at)
    case "CheckpointSaved":
      return addCheckpoint(task, change, at)
    case "Rewound":
      return beginLine(task, change)
    case "QuestionOpened":
      return openQuestion(task, change, at)
    default:
      return Effect.void
  }
}

const ifAnyRow = Effect.map((rows: ReadonlyArray<unknown>) => rows.length > 0)

/** False when the change comes too late to have happened (`TaskStorage.record`). */
export const recordChange = (task: Task, change: TaskChange, at: Timestamp): Effect.Effect<boolean, SqlError> => {
  switch (change._tag) {
    case "ResponseCounted":
      return ifAnyRow(countResponse(task, change, at))
    case "QuestionClosed":
      return ifAnyRow(closeQuestion(task, change, at))
    case "MessageWithdrawn":
      return ifAnyRow(removePending(task, change.messageId))
    default:
      return Effect.as(addTo(task, change, at), true)
  }
}
