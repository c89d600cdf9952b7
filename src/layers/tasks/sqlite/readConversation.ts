/** What was said in a task, read from SQLite. */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"
import type { MessageId, TaskId } from "../../../services/Ids.ts"
import type { Message, PendingMessage, PendingMode, Role } from "../../../services/Message.ts"
import type { PageRequest } from "../../../services/TaskRepo.ts"
import { decoding } from "../../sqlite/rows.ts"
import { positionOf, toPage } from "../pages.ts"
import { presentLine } from "./presentLine.ts"

interface MessageRow {
  readonly position: number
  readonly id: MessageId
  readonly role: Role
  readonly superseded: number
  readonly created_at: string
  readonly content: string
}

const toMessage = (row: MessageRow): Message => ({
  id: row.id,
  role: row.role,
  content: JSON.parse(row.content),
  superseded: row.superseded === 1,
  createdAt: row.created_at
})

interface PendingRow {
  readonly id: MessageId
  readonly mode: PendingMode
  readonly content: string
  readonly created_at: string
}

const toPending = (row: PendingRow): PendingMessage => ({
  id: row.id,
  mode: row.mode,
  content: row.content,
  createdAt: row.created_at
})

export const makeConversationReads = Effect.map(SqlClient, (sql) => {
  const conversation = Effect.fn("TaskRepo.conversation")(function* (id: TaskId) {
    const present = sql.literal("JOIN path ON path.line = messages.line AND position <= path.messages")
    const rows = yield* sql<MessageRow>`
      WITH RECURSIVE ${presentLine(sql, id)}
      SELECT position, id, role, 0 AS superseded, created_at, content FROM messages ${present}
      WHERE task_id = ${id} AND position >= (
        SELECT coalesce(max(position), 0) FROM messages ${present} WHERE task_id = ${id} AND starts_over = 1
      ) ORDER BY position`
    return yield* decoding("messages", () => rows.map(toMessage))
  }, Effect.orDie)

  const messages = Effect.fn("TaskRepo.messages")(function* (id: TaskId, page: PageRequest) {
    const rows = yield* sql<MessageRow>`
      WITH RECURSIVE ${presentLine(sql, id)}
      SELECT position, id, role, path.line IS NULL AS superseded, created_at, content FROM messages
      LEFT JOIN path ON path.line = messages.line AND position <= path.messages
      WHERE task_id = ${id} AND position > ${positionOf(page, 0)} ORDER BY position LIMIT ${page.limit + 1}`
    return yield* decoding("messages", () => toPage(rows, page, (row) => row.position, toMessage))
  }, Effect.orDie)

  const pending = Effect.fn("TaskRepo.pending")(function* (id: TaskId) {
    const rows = yield* sql<PendingRow>`
      SELECT id, mode, content, created_at FROM pending_messages WHERE task_id = ${id} ORDER BY position`
    return rows.map(toPending)
  }, Effect.orDie)

  return { conversation, messages, pending }
})
