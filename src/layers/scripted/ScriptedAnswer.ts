/** An answer of a script, word for word, and the events of the Messages API that carry it. */
import type Anthropic from "@anthropic-ai/sdk"
import type { StopReason, TokenCounts } from "../../services/ClaudeClient.ts"
import type { WireEvent } from "../anthropic/IncomingAnswer.ts"
import { toolCallId } from "./place.ts"
import type { Play } from "./playScript.ts"
import type { Fault } from "./Script.ts"
import { fillIn, fillInAll } from "./template.ts"

export type ScriptedBlock =
  | { readonly type: "thinking"; readonly text: string; readonly signature: string }
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "tool_use"; readonly id: string; readonly name: string; readonly text: string }

export interface ScriptedAnswer {
  readonly id: string
  readonly model: string
  readonly blocks: ReadonlyArray<ScriptedBlock>
  readonly stopReason: StopReason
  readonly tokens: TokenCounts
  readonly delayMs: number
  /** None: as fast as it goes. */
  readonly charactersPerSecond: number | undefined
  readonly faults: ReadonlyArray<Fault>
}

/** What the script leaves open. */
export interface AnswerContext {
  readonly model: string
  readonly maxTokens: number
  /** Tokens of the request; those of the answer are counted here. */
  readonly tokens: TokenCounts
  /** Letters and digits that no other answer has. */
  readonly unique: string
  readonly sign: (thinking: string) => string
}

const charactersPerToken = 4

/** A round guess, the same for requests and answers. */
export const estimateTokens = (characters: number): number => Math.ceil(characters / charactersPerToken)

export const writeAnswer = ({ answer, place, variables }: Play, context: AnswerContext): ScriptedAnswer => {
  const written: ReadonlyArray<ScriptedBlock> = [
    ...(answer.thinking === undefined ? [] : [thought(fillIn(answer.thinking, variables), context)]),
    ...(answer.text === undefined ? [] : [{ type: "text" as const, text: fillIn(answer.text, variables) }]),
    ...(answer.tools ?? []).map((tool, index) => ({
      type: "tool_use" as const,
      id: toolCallId(place, context.unique, index),
      name: tool.name,
      text:
        tool.rawInput === undefined
          ? JSON.stringify(fillInAll(tool.input ?? {}, variables))
          : fillIn(tool.rawInput, variables)
    }))
  ]
  const blocks = within(written, context.maxTokens * charactersPerToken)
  const whole = blocks.length === written.length && sizeOf(blocks) === sizeOf(written)
  const calls = written.some((block) => block.type === "tool_use")
  const { tokens } = answer
  return {
    id: `msg_${context.unique}`,
    model: context.model,
    blocks,
    stopReason: whole ? (answer.stop ?? (calls ? "tool_use" : "end_turn")) : "max_tokens",
    tokens: {
      inputTokens: tokens?.input ?? context.tokens.inputTokens,
      outputTokens: Math.min(tokens?.output ?? Math.max(estimateTokens(sizeOf(blocks)), 1), context.maxTokens),
      cacheReadTokens: tokens?.cacheRead ?? context.tokens.cacheReadTokens,
      cacheWriteTokens: tokens?.cacheWrite ?? context.tokens.cacheWriteTokens
    },
    delayMs: answer.delayMs ?? 0,
    charactersPerSecond: answer.charactersPerSecond,
    faults: answer.faults ?? []
  }
}

const thought = (text: string, { sign }: AnswerContext): ScriptedBlock => ({
  type: "thinking",
  text,
  signature: sign(text)
})

const sizeOf = (blocks: ReadonlyArray<ScriptedBlock>): number =>
  blocks.reduce((sum, block) => sum + block.text.length, 0)

/** Breaks off where the tokens end, as the model does. */
const within = (blocks: ReadonlyArray<ScriptedBlock>, characters: number): ReadonlyArray<ScriptedBlock> => {
  let left = characters
  return blocks.flatMap((block) => {
    if (left <= 0) return []
    const text = block.text.slice(0, left)
    left -= block.text.length
    return [{ ...block, text }]
  })
}

/** The events of an answer in their order; texts come in pieces of at most `pieceLength` characters. */
export const answerEvents = (answer: ScriptedAnswer, pieceLength: number): ReadonlyArray<WireEvent> => [
  {
    type: "message_start",
    message: {
      id: answer.id,
      type: "message",
      role: "assistant",
      model: answer.model,
      content: [],
      container: null,
      diagnostics: null,
      stop_reason: null,
      stop_sequence: null,
      stop_details: null,
      usage: startUsage(answer.tokens)
    }
  },
  ...(answer.blocks.length === 0 ? [{ type: "ping" } as const] : []),
  ...answer.blocks.flatMap((block, index) => [
    { type: "content_block_start", index, content_block: emptyBlock(block) } as const,
    ...(index === 0 ? [{ type: "ping" } as const] : []),
    ...deltas(block, pieceLength).map((delta) => ({ type: "content_block_delta", index, delta }) as const),
    { type: "content_block_stop", index } as const
  ]),
  {
    type: "message_delta",
    delta: {
      container: null,
      stop_reason: answer.stopReason === "other" ? null : answer.stopReason,
      stop_sequence: null,
      stop_details: null
    },
    usage: {
      input_tokens: answer.tokens.inputTokens,
      output_tokens: answer.tokens.outputTokens,
      cache_read_input_tokens: answer.tokens.cacheReadTokens,
      cache_creation_input_tokens: answer.tokens.cacheWriteTokens,
      output_tokens_details: null,
      server_tool_use: null
    }
  },
  { type: "message_stop" }
]

/** The same, broken off after so many characters of the answer. */
export const eventsUntil = (
  answer: ScriptedAnswer,
  characters: number,
  pieceLength: number
): ReadonlyArray<WireEvent> => {
  const blocks = within(answer.blocks, characters)
  const events = answerEvents({ ...answer, blocks }, pieceLength)
  const endings: ReadonlyArray<WireEvent["type"]> = ["content_block_stop", "message_delta", "message_stop"]
  return events.slice(0, events.findLastIndex((event) => !endings.includes(event.type)) + 1)
}

const startUsage = (tokens: TokenCounts): Anthropic.Usage => ({
  input_tokens: tokens.inputTokens,
  output_tokens: 1,
  cache_read_input_tokens: tokens.cacheReadTokens,
  cache_creation_input_tokens: tokens.cacheWriteTokens,
  cache_creation: { ephemeral_5m_input_tokens: tokens.cacheWriteTokens, ephemeral_1h_input_tokens: 0 },
  inference_geo: null,
  output_tokens_details: null,
  server_tool_use: null,
  service_tier: "standard",
  speed: null
})

const emptyBlock = (block: ScriptedBlock): Anthropic.ContentBlock => {
  switch (block.type) {
    case "thinking":
      return { type: "thinking", thinking: "", signature: "" }
    case "text":
      return { type: "text", text: "", citations: null }
    case "tool_use":
      return { type: "tool_use", id: block.id, name: block.name, input: {}, caller: { type: "direct" } }
  }
}

const deltas = (block: ScriptedBlock, length: number): ReadonlyArray<Anthropic.RawContentBlockDelta> => {
  switch (block.type) {
    case "thinking":
      return [
        ...pieces(block.text, length).map((thinking) => ({ type: "thinking_delta", thinking }) as const),
        { type: "signature_delta", signature: block.signature }
      ]
    case "text":
      return pieces(block.text, length).map((text) => ({ type: "text_delta", text }))
    case "tool_use":
      return pieces(block.text, length).map((partial_json) => ({ type: "input_json_delta", partial_json }))
  }
}

/** Never through the middle of a character. */
const pieces = (text: string, length: number): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (let start = 0; start < text.length;) {
    let end = Math.min(start + Math.max(length, 1), text.length)
    if (end < text.length && /[\ud800-\udbff]/.test(text.charAt(end - 1))) end++
    found.push(text.slice(start, end))
    start = end
  }
  return found
}

/** How many characters of the answer an event carries. */
export const charactersOf = (event: WireEvent): number => {
  if (event.type !== "content_block_delta") return 0
  switch (event.delta.type) {
    case "text_delta":
      return event.delta.text.length
    case "input_json_delta":
      return event.delta.partial_json.length
    case "thinking_delta":
      return event.delta.thinking.length
    default:
      return 0
  }
}
