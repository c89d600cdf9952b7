/**
 * From the stored conversation to the next request: pure functions.
 *
 * The request only ever grows at its end, so that everything before is served from the model's cache.
 */
import type { ToolCallId } from "../services/Ids.ts"
import type { TurnMessage, TurnRequest } from "../services/ClaudeClient.ts"
import type { ContentBlock, Message, ToolResultBlock, ToolUseBlock } from "../services/Message.ts"
import { systemPrompt } from "./prompt.ts"
import { definitions } from "./toolCatalogue.ts"

export const toTurn = ({ content, role }: Pick<Message, "role" | "content">): TurnMessage => ({ role, content })

export const text = (words: string): ContentBlock => ({ type: "text", text: words })

export const toolResult = (id: ToolCallId, content: string, isError: boolean): ToolResultBlock => ({
  type: "tool_result",
  tool_use_id: id,
  content,
  is_error: isError
})

export const toolUses = (content: ReadonlyArray<ContentBlock>): ReadonlyArray<ToolUseBlock> =>
  content.filter((block) => block.type === "tool_use")

/** An answer that holds nothing but thinking says nothing, and the API does not take it back. */
export const saysSomething = (content: ReadonlyArray<ContentBlock>): boolean =>
  content.some((block) => block.type === "text" || block.type === "tool_use")

/** Tool calls of the last message that have no result yet. */
export const openCalls = (messages: ReadonlyArray<TurnMessage>): ReadonlyArray<ToolUseBlock> => {
  const last = messages.at(-1)
  return last?.role === "assistant" ? toolUses(last.content) : []
}

/** Cache markers stand after the newest message and after the user's message before it: where the last request ended. */
export const toRequest = (model: string, messages: ReadonlyArray<TurnMessage>, maxTokens: number): TurnRequest => ({
  model,
  system: systemPrompt,
  tools: definitions,
  messages,
  cacheAfter: messages.flatMap(({ role }, index) => (role === "user" ? [index] : [])).slice(-2),
  maxTokens
})
