/**
 * The parts of paths that vary.
 *
 * Owns: their names and schemas. A path that does not decode names nothing: it is answered with 404.
 */
import { HttpApiSchema } from "@effect/platform"
import { Schema } from "effect"
import { DeviceId, MessageId, QuestionId, ScheduleId, TaskId, ToolCallId, UserId } from "../../services/Ids.ts"

export const taskId = HttpApiSchema.param("taskId", TaskId)
export const messageId = HttpApiSchema.param("messageId", MessageId)
export const toolCallId = HttpApiSchema.param("toolCallId", ToolCallId)
export const questionId = HttpApiSchema.param("questionId", QuestionId)
export const scheduleId = HttpApiSchema.param("scheduleId", ScheduleId)
export const deviceId = HttpApiSchema.param("deviceId", DeviceId)

export const userId = HttpApiSchema.param("userId", UserId)
export const pairingId = HttpApiSchema.param("pairingId", Schema.String.pipe(Schema.pattern(/^[2-9B-Z]{4}$/)))

/** As the diff names it. */
export const fileId = HttpApiSchema.param("fileId", Schema.String.pipe(Schema.minLength(1), Schema.maxLength(128)))

/** `host` or `host:port` of a git server, lower case. */
export const host = HttpApiSchema.param("host", Schema.String.pipe(Schema.minLength(1), Schema.maxLength(260)))

/** Checked by the handler, which says what is wrong with it. */
export const secretName = HttpApiSchema.param(
  "secretName",
  Schema.String.pipe(Schema.minLength(1), Schema.maxLength(256))
)

export const pathParameters: ReadonlySet<PropertyKey> = new Set([
  "taskId",
  "messageId",
  "toolCallId",
  "questionId",
  "scheduleId",
  "deviceId",
  "userId",
  "pairingId",
  "fileId",
  "host",
  "secretName"
])
