/**
 * An answer of the model as it arrives, event by event.
 *
 * Plain mutable state: it runs once for each event of the model's stream. Whatever it does not know (blocks, deltas,
 * events, stop reasons of later API versions) it passes over.
 */
import type Anthropic from "@anthropic-ai/sdk"
import { Schema } from "effect"
import type { PartialResponse, Response, TokenCounts, TurnEvent } from "../../services/ClaudeClient.ts"
import { StopReason } from "../../services/ClaudeClient.ts"
import { ToolCallId } from "../../services/Ids.ts"
import type { ContentBlock } from "../../services/Message.ts"
import { toolInput } from "./toolInput.ts"

export type WireEvent = Anthropic.RawMessageStreamEvent | { readonly type: "ping" }

/** What arrived can't be an answer. */
export class MalformedAnswer extends Error {}

type OpenBlock =
  | { readonly type: "text"; text: string }
  | { readonly type: "thinking"; thinking: string; signature: string }
  | { readonly type: "redacted_thinking"; readonly data: string }
  | { readonly type: "tool_use"; readonly id: ToolCallId; readonly name: string; readonly input: unknown; json: string }
  | { readonly type: "unknown" }

const isToolCallId = Schema.is(ToolCallId)
const isStopReason = Schema.is(StopReason)
const cutShort: ReadonlyArray<StopReason> = ["max_tokens", "model_context_window_exceeded"]

/** What an event of the wire tells; `Finished` comes last, exactly once. */
export type AnswerEvent = TurnEvent | { readonly _tag: "Finished"; readonly response: Response }

export class IncomingAnswer {
  #head: { readonly id: string; readonly model: string } | undefined
  #tokens: TokenCounts = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 }
  #stopReason: StopReason = "other"
  readonly #open = new Map<number, OpenBlock>()
  readonly #content: Array<ContentBlock> = []
  readonly #malformed: Array<{ readonly toolCallId: string; readonly text: string }> = []
  /** The newest block, when it is a tool call without any input. */
  #withoutInput: ToolCallId | undefined

  /** What is known so far, for an answer that breaks off. */
  get partial(): PartialResponse | null {
    return this.#head === undefined
      ? null
      : { responseId: this.#head.id, model: this.#head.model, tokens: this.#tokens }
  }

  /** Takes one event and says what it tells. */
  accept(event: WireEvent): AnswerEvent | undefined {
    switch (event.type) {
      case "message_start":
        this.#head = { id: event.message.id, model: event.message.model }
        this.#count(event.message.usage)
        return undefined
      case "content_block_start":
        return this.#start(event.index, event.content_block)
      case "content_block_delta":
        return this.#append(event.index, event.delta)
      case "content_block_stop":
        this.#close(event.index)
        return undefined
      case "message_delta":
        this.#stopReason = isStopReason(event.delta.stop_reason) ? event.delta.stop_reason : "other"
        this.#count(event.usage)
        return undefined
      case "message_stop":
        return { _tag: "Finished", response: this.#finish() }
      default:
        return undefined
    }
  }

  #start(index: number, block: Anthropic.ContentBlock): TurnEvent | undefined {
    switch (block.type) {
      case "text":
        this.#open.set(index, { type: "text", text: block.text })
        return block.text === "" ? undefined : { _tag: "TextDelta", block: index, text: block.text }
      case "thinking":
        this.#open.set(index, { type: "thinking", thinking: block.thinking, signature: block.signature })
        return undefined
      case "redacted_thinking":
        this.#open.set(index, { type: "redacted_thinking", data: block.data })
        return undefined
      case "tool_use":
        if (!isToolCallId(block.id)) throw new MalformedAnswer("a tool call has no usable id")
        this.#open.set(index, { type: "tool_use", id: block.id, name: block.name, input: block.input, json: "" })
        return { _tag: "ToolCallStarted", block: index, name: block.name }
      default:
        this.#open.set(index, { type: "unknown" })
        return undefined
    }
  }

  #append(index: number, delta: Anthropic.RawContentBlockDelta): TurnEvent | undefined {
    const block = this.#open.get(index)
    if (block === undefined) throw new MalformedAnswer(`block ${index} goes on before it began`)
    if (delta.type === "text_delta" && block.type === "text") {
      block.text += delta.text
      return { _tag: "TextDelta", block: index, text: delta.text }
    }
    if (delta.type === "input_json_delta" && block.type === "tool_use") block.json += delta.partial_json
    else if (delta.type === "thinking_delta" && block.type === "thinking") block.thinking += delta.thinking
    else if (delta.type === "signature_delta" && block.type === "thinking") block.signature += delta.signature
    return undefined
  }

  #close(index: number) {
    const block = this.#open.get(index)
    this.#open.delete(index)
    this.#withoutInput = undefined
    switch (block?.type) {
      case "text":
        // The API sends empty texts and refuses them in the next request.
        if (block.text.trim() !== "") this.#content.push({ type: "text", text: block.text })
        return
      case "thinking":
        this.#content.push({ type: "thinking", thinking: block.thinking, signature: block.signature })
        return
      case "redacted_thinking":
        this.#content.push({ type: "redacted_thinking", data: block.data })
        return
      case "tool_use": {
        const input = toolInput(block.json, block.input)
        if (block.json === "") this.#withoutInput = block.id
        if (input === undefined) this.#malformed.push({ toolCallId: block.id, text: block.json })
        this.#content.push({ type: "tool_use", id: block.id, name: block.name, input: input ?? {} })
        return
      }
    }
  }

  #count(usage: Anthropic.Usage | Anthropic.MessageDeltaUsage | null | undefined) {
    if (usage === null || usage === undefined) return
    this.#tokens = {
      inputTokens: newest(usage.input_tokens, this.#tokens.inputTokens),
      outputTokens: newest(usage.output_tokens, this.#tokens.outputTokens),
      cacheReadTokens: newest(usage.cache_read_input_tokens, this.#tokens.cacheReadTokens),
      cacheWriteTokens: newest(usage.cache_creation_input_tokens, this.#tokens.cacheWriteTokens)
    }
  }

  #finish(): Response {
    if (this.#head === undefined) throw new MalformedAnswer("it ended before it began")
    for (const index of this.#open.keys()) this.#close(index)
    // An input that the limit kept from coming is not an empty input.
    if (this.#withoutInput !== undefined && cutShort.includes(this.#stopReason)) {
      this.#malformed.push({ toolCallId: this.#withoutInput, text: "" })
    }
    return {
      id: this.#head.id,
      model: this.#head.model,
      content: this.#content,
      stopReason: this.#stopReason,
      tokens: this.#tokens,
      malformedInputs: this.#malformed
    }
  }
}

/** Reported counts are totals: a later one replaces an earlier, and one that is missing leaves it. */
const newest = (reported: number | null | undefined, before: number): number =>
  typeof reported === "number" && Number.isSafeInteger(reported) && reported >= 0 ? reported : before
