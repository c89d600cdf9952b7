/**
 * The conversation of a task, in the blocks of the Messages API.
 *
 * Owns: the schemas of messages and their blocks, and what was said in them.
 * Does not own: how a conversation becomes a request (`agent/conversation.ts`).
 */
import { Schema } from "effect"
import { MessageId, ToolCallId } from "./Ids.ts"
import { Timestamp } from "./Task.ts"

export const TextBlock = Schema.Struct({
  type: Schema.Literal("text"),
  text: Schema.String
}).annotations({ identifier: "TextBlock" })
export interface TextBlock extends Schema.Schema.Type<typeof TextBlock> {}

/** `input` is what the model wrote, decoded from JSON but not yet checked against the tool's schema. */
export const ToolUseBlock = Schema.Struct({
  type: Schema.Literal("tool_use"),
  id: ToolCallId,
  name: Schema.String,
  input: Schema.Unknown
}).annotations({ identifier: "ToolUseBlock" })
export interface ToolUseBlock extends Schema.Schema.Type<typeof ToolUseBlock> {}

export const ToolResultBlock = Schema.Struct({
  type: Schema.Literal("tool_result"),
  tool_use_id: ToolCallId,
  content: Schema.String,
  is_error: Schema.Boolean
}).annotations({ identifier: "ToolResultBlock" })
export interface ToolResultBlock extends Schema.Schema.Type<typeof ToolResultBlock> {}

/** Thinking must go back to the API unchanged, signature included. */
export const ThinkingBlock = Schema.Struct({
  type: Schema.Literal("thinking"),
  thinking: Schema.String,
  signature: Schema.String
}).annotations({ identifier: "ThinkingBlock" })

export const RedactedThinkingBlock = Schema.Struct({
  type: Schema.Literal("redacted_thinking"),
  data: Schema.String
}).annotations({ identifier: "RedactedThinkingBlock" })

export const ContentBlock = Schema.Union(
  TextBlock,
  ToolUseBlock,
  ToolResultBlock,
  ThinkingBlock,
  RedactedThinkingBlock
).annotations({ identifier: "ContentBlock" })
export type ContentBlock = typeof ContentBlock.Type

export const Role = Schema.Literal("user", "assistant").annotations({ identifier: "Role" })
export type Role = typeof Role.Type

/**
 * One entry of the conversation that the model has seen or will see next. What a rewind left behind is `superseded`:
 * it can be read, and the model sees it no more.
 */
export const Message = Schema.Struct({
  id: MessageId,
  role: Role,
  content: Schema.Array(ContentBlock),
  superseded: Schema.Boolean,
  createdAt: Timestamp
}).annotations({ identifier: "Message" })
export interface Message extends Schema.Schema.Type<typeof Message> {}

/** A `steer` message reaches the model before its next call, a `queue` message when the turn has ended. */
export const PendingMode = Schema.Literal("steer", "queue").annotations({ identifier: "PendingMode" })
export type PendingMode = typeof PendingMode.Type

/** A message of the user that the model has not seen yet; it can be withdrawn. */
export const PendingMessage = Schema.Struct({
  id: MessageId,
  mode: PendingMode,
  content: Schema.String,
  createdAt: Timestamp
}).annotations({ identifier: "PendingMessage" })
export interface PendingMessage extends Schema.Schema.Type<typeof PendingMessage> {}

/** The words of a message, without calls and thoughts. */
export const textOf = (content: ReadonlyArray<ContentBlock>): string =>
  content
    .flatMap((block) => (block.type === "text" ? [block.text] : []))
    .join("\n\n")
    .trim()

/** What the model said last: the closing words of its work. */
export const lastWords = (messages: ReadonlyArray<Pick<Message, "role" | "content">>): string =>
  textOf(messages.findLast(({ role }) => role === "assistant")?.content ?? [])
