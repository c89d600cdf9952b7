/**
 * What was said and done in a task: messages, tool calls, checkpoints, events, questions.
 */
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { CommitId, QuestionId, TaskId, ToolCallId } from "../../services/Ids.ts"
import { Message, PendingMessage } from "../../services/Message.ts"
import { Timestamp } from "../../services/Task.ts"
import { Answer, Excerpt, QuestionKind, TaskEvent } from "../../services/TaskEvent.ts"
import { Authentication } from "./Authentication.ts"
import { eventPaging, page, Paging, paging, place, query, whole } from "./Page.ts"
import { messageId, questionId, taskId, toolCallId } from "./params.ts"
import { problems } from "./Problem.ts"
import { NewAnswer, NewMessage } from "./requests.ts"

/** `pending` are the messages that the model has not seen yet. */
const MessagePage = Schema.Struct({
  ...page(Message).fields,
  pending: Schema.Array(PendingMessage)
}).annotations({ identifier: "MessagePage" })

export const MessageAccepted = PendingMessage.annotations(
  HttpApiSchema.annotations({ status: 201, identifier: "PendingMessage" })
)

const toolCallFields = {
  id: ToolCallId,
  run: Schema.Int,
  tool: Schema.String,
  input: Schema.Unknown,
  isError: Schema.NullOr(Schema.Boolean),
  exitCode: Schema.NullOr(Schema.Int),
  startedAt: Timestamp,
  finishedAt: Schema.NullOr(Timestamp),
  durationMs: Schema.NullOr(Schema.Int)
}

/** In lists the output has its beginning and end; `output` is null while the tool runs. */
export const ToolCallView = Schema.Struct({ ...toolCallFields, output: Schema.NullOr(Excerpt) }).annotations({
  identifier: "ToolCall"
})

/** `bytes` is what the tool wrote in all: more than the length of `output` when the sandbox kept only a part. */
export const WholeToolCall = Schema.Struct({
  ...toolCallFields,
  output: Schema.NullOr(Schema.String),
  bytes: Schema.NullOr(Schema.Int)
}).annotations({ identifier: "WholeToolCall" })

const CheckpointView = Schema.Struct({
  commit: CommitId,
  run: Schema.Int,
  files: Schema.Int,
  additions: Schema.Int,
  deletions: Schema.Int,
  /** True when a rewind has left it behind; another rewind may lead back to it. */
  superseded: Schema.Boolean,
  createdAt: Timestamp
}).annotations({ identifier: "Checkpoint" })

const LoggedEvent = Schema.Struct({ seq: Schema.Int, at: Timestamp, event: TaskEvent }).annotations({
  identifier: "LoggedEvent"
})

/** `nextCursor` is the `after` of the next page; null when the page reaches `head`. */
const EventPage = Schema.Struct({ ...page(LoggedEvent).fields, head: Schema.Int, epoch: Schema.String }).annotations({
  identifier: "EventPage"
})

export const QuestionView = Schema.Struct({
  id: QuestionId,
  taskId: TaskId,
  /** The tool call that waits for the answer. */
  toolCallId: Schema.NullOr(ToolCallId),
  /** Goes with the answer, so that nobody answers another question than the one they saw. */
  revision: Schema.Int,
  kind: QuestionKind,
  title: Schema.String,
  detail: Schema.String,
  choices: Schema.Array(Schema.String),
  default: Answer,
  status: Schema.Literal("open", "answered", "expired", "cancelled"),
  answer: Schema.NullOr(Answer),
  expiresAt: Timestamp,
  createdAt: Timestamp,
  closedAt: Schema.NullOr(Timestamp)
}).annotations({ identifier: "Question" })

const messages = HttpApiEndpoint.get("messages")`/tasks/${taskId}/messages`
  .setUrlParams(Paging)
  .addSuccess(MessagePage)
  .addError(problems(404, 422))
  .annotate(OpenApi.Identifier, "listMessages")
  .annotate(OpenApi.Summary, "The conversation, oldest first.")

const say = HttpApiEndpoint.post("say")`/tasks/${taskId}/messages`
  .setPayload(NewMessage)
  .addSuccess(MessageAccepted)
  .addError(problems(404, 413, 415, 422, 507))
  .annotate(OpenApi.Identifier, "sendMessage")
  .annotate(
    OpenApi.Summary,
    "`steer` reaches the model before its next call, `queue` when the turn has ended; a final task starts again."
  )

const withdraw = HttpApiEndpoint.del("withdraw")`/tasks/${taskId}/messages/${messageId}`
  .addSuccess(HttpApiSchema.NoContent)
  .addError(problems(404, 507))
  .annotate(OpenApi.Identifier, "withdrawMessage")
  .annotate(OpenApi.Summary, "Takes back a message that the model has not seen.")

const toolCalls = HttpApiEndpoint.get("toolCalls")`/tasks/${taskId}/tool-calls`
  .setUrlParams(Paging)
  .addSuccess(page(ToolCallView).annotations({ identifier: "ToolCallPage" }))
  .addError(problems(404, 422))
  .annotate(OpenApi.Identifier, "listToolCalls")
  .annotate(OpenApi.Summary, "Oldest first.")

const toolCall = HttpApiEndpoint.get("toolCall")`/tasks/${taskId}/tool-calls/${toolCallId}`
  .addSuccess(WholeToolCall)
  .addError(problems(404))
  .annotate(OpenApi.Identifier, "getToolCall")
  .annotate(OpenApi.Summary, "One tool call with its whole output.")

const checkpoints = HttpApiEndpoint.get("checkpoints")`/tasks/${taskId}/checkpoints`
  .setUrlParams(Paging)
  .addSuccess(page(CheckpointView).annotations({ identifier: "CheckpointPage" }))
  .addError(problems(404, 422))
  .annotate(OpenApi.Identifier, "listCheckpoints")
  .annotate(OpenApi.Summary, "Newest first.")

const events = HttpApiEndpoint.get("events")`/tasks/${taskId}/events`
  .setUrlParams(query(eventPaging))
  .addSuccess(EventPage)
  .addError(problems(404, 422))
  .annotate(OpenApi.Identifier, "listEvents")
  .annotate(
    OpenApi.Summary,
    "The log. With `Accept: text/event-stream` it goes on as it grows: `id` is the seq, and `Last-Event-ID` is honoured."
  )

const { status } = QuestionView.fields
const QuestionStatus = status.annotations({ message: whole(`must be one of ${status.literals.join(", ")}`) })

const questions = HttpApiEndpoint.get("questions", "/questions")
  .setUrlParams(query({ ...paging(place.position), status: Schema.optionalWith(QuestionStatus, { exact: true }) }))
  .addSuccess(page(QuestionView).annotations({ identifier: "QuestionPage" }))
  .addError(problems(422))
  .annotate(OpenApi.Identifier, "listQuestions")
  .annotate(OpenApi.Summary, "The questions of all your tasks.")

const answer = HttpApiEndpoint.post("answer")`/questions/${questionId}/answer`
  .setPayload(NewAnswer)
  .addSuccess(QuestionView)
  .addError(problems(404, 409, 413, 415, 422, 507))
  .annotate(OpenApi.Identifier, "answerQuestion")
  .annotate(OpenApi.Summary, "The first answer wins; the loser gets 409 with the answer that won.")

export class ConversationApi extends HttpApiGroup.make("conversation")
  .add(messages)
  .add(say)
  .add(withdraw)
  .add(toolCalls)
  .add(toolCall)
  .add(checkpoints)
  .add(events)
  .add(questions)
  .add(answer)
  .middleware(Authentication)
  .prefix("/api/v1") {}
