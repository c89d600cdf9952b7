/**
 * The model.
 *
 * Owns: one turn of the conversation, heard while it is written, and the kinds of failure a caller can act on.
 * Does not own: retries, the conversation, tools, limits (`agent/`).
 */
import { Context, type Effect, Schema } from "effect"
import { ContentBlock } from "./Message.ts"

/** Tokens of one answer, as far as the API has reported them. */
export const TokenCounts = Schema.Struct({
  inputTokens: Schema.Int,
  outputTokens: Schema.Int,
  cacheReadTokens: Schema.Int,
  cacheWriteTokens: Schema.Int
})
export interface TokenCounts extends Schema.Schema.Type<typeof TokenCounts> {}

/** What is known of an answer that broke off: its cost counts all the same. */
export const PartialResponse = Schema.Struct({ responseId: Schema.String, model: Schema.String, tokens: TokenCounts })
export interface PartialResponse extends Schema.Schema.Type<typeof PartialResponse> {}

/** 429. Try again after `retryAfterMs`, when the API names a time. `spendLimit`: the account's own limit, no use retrying. */
export class ClaudeRateLimited extends Schema.TaggedError<ClaudeRateLimited>()("ClaudeRateLimited", {
  retryAfterMs: Schema.NullOr(Schema.Number),
  spendLimit: Schema.Boolean,
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** 529, 5xx, 408, 409 or no connection: the same request may succeed later. */
export class ClaudeUnavailable extends Schema.TaggedError<ClaudeUnavailable>()("ClaudeUnavailable", {
  status: Schema.NullOr(Schema.Int),
  retryAfterMs: Schema.NullOr(Schema.Number),
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** The answer began and did not end: the connection was cut, an error came in mid-stream, or nothing came for too long. */
export class ClaudeStreamBroken extends Schema.TaggedError<ClaudeStreamBroken>()("ClaudeStreamBroken", {
  reason: Schema.Literal("cut", "error_event", "silent", "malformed"),
  partial: Schema.NullOr(PartialResponse),
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** 400, 401, 403, 404, 413: no retry will help. `detail` is the API's own message. */
export class ClaudeRejected extends Schema.TaggedError<ClaudeRejected>()("ClaudeRejected", {
  status: Schema.Int,
  type: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

export type ClaudeError = ClaudeRateLimited | ClaudeUnavailable | ClaudeStreamBroken | ClaudeRejected

/** `other` is a reason that this version does not know; it is treated as the end of the turn with a failure. */
export const StopReason = Schema.Literal(
  "end_turn",
  "tool_use",
  "max_tokens",
  "stop_sequence",
  "pause_turn",
  "refusal",
  "model_context_window_exceeded",
  "other"
)
export type StopReason = typeof StopReason.Type

export interface ToolDefinition {
  readonly name: string
  readonly description: string
  /** JSON Schema of the input. */
  readonly inputSchema: Readonly<Record<string, unknown>>
}

/** A block of the system prompt; `cache` puts a cache marker after it. */
export interface SystemBlock {
  readonly text: string
  readonly cache: boolean
}

export interface TurnMessage {
  readonly role: "user" | "assistant"
  readonly content: ReadonlyArray<ContentBlock>
}

export interface TurnRequest {
  readonly model: string
  readonly system: ReadonlyArray<SystemBlock>
  readonly tools: ReadonlyArray<ToolDefinition>
  readonly messages: ReadonlyArray<TurnMessage>
  /** Positions in `messages` after whose last block a cache marker stands. */
  readonly cacheAfter: ReadonlyArray<number>
  readonly maxTokens: number
}

/** A whole answer. Tool inputs that were not valid JSON are in `malformedInputs`, with `{}` in their block. */
export const Response = Schema.Struct({
  id: Schema.String,
  model: Schema.String,
  content: Schema.Array(ContentBlock),
  stopReason: StopReason,
  tokens: TokenCounts,
  malformedInputs: Schema.Array(Schema.Struct({ toolCallId: Schema.String, text: Schema.String }))
})
export interface Response extends Schema.Schema.Type<typeof Response> {}

/** What is told of an answer while it is written: text, by block, and the beginning of each tool call. */
export type TurnEvent =
  | { readonly _tag: "TextDelta"; readonly block: number; readonly text: string }
  | { readonly _tag: "ToolCallStarted"; readonly block: number; readonly name: string }

export class ClaudeClient extends Context.Tag("errand/services/ClaudeClient")<
  ClaudeClient,
  {
    /**
     * The whole answer. `hear` is called synchronously while it is written, and must return at once and not throw: a
     * stream here would cost more than all else in a step. Interruption aborts the request at once.
     */
    readonly turn: (request: TurnRequest, hear: (event: TurnEvent) => void) => Effect.Effect<Response, ClaudeError>
    /** False when no key is set: tasks are refused with `model_not_configured`. */
    readonly configured: Effect.Effect<boolean>
  }
>() {}
