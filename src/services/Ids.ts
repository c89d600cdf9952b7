/**
 * Identities: a prefix that says what the id names, and a ULID that sorts by time of birth.
 *
 * Owns: the branded id schemas and the making of new ids.
 * Does not own: the run number and the event number, which count up inside one task.
 */
import { Context, type Effect, Schema } from "effect"

/** Crockford base32, 26 characters, first one at most 7 (48 bits of milliseconds, 80 of randomness). */
const ulid = "[0-7][0-9A-HJKMNP-TV-Z]{25}"

const idOf = <const Prefix extends string, const Brand extends string>(prefix: Prefix, brand: Brand) =>
  Schema.String.pipe(
    Schema.pattern(new RegExp(`^${prefix}_${ulid}$`)),
    Schema.brand(brand),
    Schema.annotations({ identifier: brand, description: `\`${prefix}_\` and a ULID` })
  )

export const TaskId = idOf("task", "TaskId")
export type TaskId = typeof TaskId.Type

export const MessageId = idOf("msg", "MessageId")
export type MessageId = typeof MessageId.Type

export const QuestionId = idOf("question", "QuestionId")
export type QuestionId = typeof QuestionId.Type

export const UserId = idOf("user", "UserId")
export type UserId = typeof UserId.Type

export const ScheduleId = idOf("schedule", "ScheduleId")
export type ScheduleId = typeof ScheduleId.Type

export const DeviceId = idOf("device", "DeviceId")
export type DeviceId = typeof DeviceId.Type

/** Name of the model's tool call, given by the model; unique inside one task. */
export const ToolCallId = Schema.String.pipe(
  Schema.minLength(1),
  Schema.maxLength(128),
  Schema.brand("ToolCallId"),
  Schema.annotations({ identifier: "ToolCallId" })
)
export type ToolCallId = typeof ToolCallId.Type

/** A full object name of git, SHA-1 or SHA-256, lower case hex. */
export const CommitId = Schema.String.pipe(
  Schema.pattern(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/),
  Schema.brand("CommitId"),
  Schema.annotations({ identifier: "CommitId" })
)
export type CommitId = typeof CommitId.Type

export class Ids extends Context.Tag("errand/services/Ids")<
  Ids,
  {
    readonly task: Effect.Effect<TaskId>
    readonly message: Effect.Effect<MessageId>
    readonly question: Effect.Effect<QuestionId>
    readonly schedule: Effect.Effect<ScheduleId>
    readonly user: Effect.Effect<UserId>
    readonly device: Effect.Effect<DeviceId>
    /** An id with no prefix, for requests and epochs. */
    readonly plain: Effect.Effect<string>
  }
>() {}
