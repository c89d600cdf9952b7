/** Questions, read from SQLite. */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect, Option } from "effect"
import type { CommitId, QuestionId, TaskId, ToolCallId, UserId } from "../../../services/Ids.ts"
import type { PageRequest, Question, TaskRepo } from "../../../services/TaskRepo.ts"
import { decoding } from "../../sqlite/rows.ts"
import { positionOf, toPage } from "../pages.ts"

interface QuestionRow {
  readonly position: number
  readonly id: QuestionId
  readonly task_id: TaskId
  readonly owner: UserId
  readonly tool_call_id: ToolCallId | null
  readonly commit_id: CommitId | null
  readonly revision: number
  readonly kind: Question["kind"]
  readonly status: Question["status"]
  readonly title: string
  readonly detail: string
  readonly choices: string
  readonly default_answer: string
  readonly answer: string | null
  readonly expires_at: string
  readonly created_at: string
  readonly closed_at: string | null
}

const toQuestion = (row: QuestionRow): Question => ({
  id: row.id,
  taskId: row.task_id,
  owner: row.owner,
  toolCallId: row.tool_call_id,
  commit: row.commit_id,
  revision: row.revision,
  kind: row.kind,
  title: row.title,
  detail: row.detail,
  choices: JSON.parse(row.choices),
  default: JSON.parse(row.default_answer),
  status: row.status,
  answer: row.answer === null ? null : JSON.parse(row.answer),
  expiresAt: row.expires_at,
  createdAt: row.created_at,
  closedAt: row.closed_at
})

type QuestionFilter = Parameters<(typeof TaskRepo.Service)["questions"]>[0]

export const makeQuestionReads = Effect.map(SqlClient, (sql) => {
  const question = Effect.fn("TaskRepo.question")(function* (owner: UserId, id: QuestionId) {
    const [row] = yield* sql<QuestionRow>`SELECT * FROM questions WHERE id = ${id} AND owner = ${owner}`
    return row === undefined ? Option.none() : Option.some(yield* decoding("questions", () => toQuestion(row)))
  }, Effect.orDie)

  const questions = Effect.fn("TaskRepo.questions")(function* (filter: QuestionFilter, page: PageRequest) {
    const conditions = [
      sql`position > ${positionOf(page, 0)}`,
      ...(filter.owner === undefined ? [] : [sql`owner = ${filter.owner}`]),
      ...(filter.task === undefined ? [] : [sql`task_id = ${filter.task}`]),
      ...(filter.status === undefined ? [] : [sql`status = ${filter.status}`])
    ]
    const rows = yield* sql<QuestionRow>`
      SELECT * FROM questions WHERE ${sql.and(conditions)} ORDER BY position LIMIT ${page.limit + 1}`
    return yield* decoding("questions", () => toPage(rows, page, (row) => row.position, toQuestion))
  }, Effect.orDie)

  return { question, questions }
})
