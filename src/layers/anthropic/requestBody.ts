/** The body of a Messages API request. The same turn always gives the same bytes: the prompt cache lives by that. */
import type Anthropic from "@anthropic-ai/sdk"
import type { SystemBlock, ToolDefinition, TurnMessage, TurnRequest } from "../../services/ClaudeClient.ts"
import type { ContentBlock } from "../../services/Message.ts"

const marker: Anthropic.CacheControlEphemeral = { type: "ephemeral" }

/** What stays comes first, so that a longer conversation begins with the bytes of a shorter one, markers aside. */
export const requestBody = (request: TurnRequest): Anthropic.MessageCreateParamsStreaming => ({
  model: request.model,
  stream: true,
  ...(request.tools.length > 0 && { tools: request.tools.map(toolParam) }),
  ...(request.system.length > 0 && { system: request.system.map(systemParam) }),
  messages: request.messages.map((message, position) => messageParam(message, request.cacheAfter.includes(position))),
  max_tokens: request.maxTokens
})

const toolParam = (tool: ToolDefinition): Anthropic.Tool => ({
  name: tool.name,
  description: tool.description,
  input_schema: { type: "object", ...tool.inputSchema }
})

const systemParam = (block: SystemBlock): Anthropic.TextBlockParam => ({
  type: "text",
  text: block.text,
  ...(block.cache && { cache_control: marker })
})

const messageParam = (message: TurnMessage, cache: boolean): Anthropic.MessageParam => {
  const marked = cache ? message.content.findLastIndex(takesMarker) : -1
  return { role: message.role, content: message.content.map((block, index) => blockParam(block, index === marked)) }
}

/** The API refuses a marker on thinking. */
const takesMarker = (block: ContentBlock): boolean => block.type !== "thinking" && block.type !== "redacted_thinking"

const blockParam = (block: ContentBlock, marked: boolean): Anthropic.ContentBlockParam => {
  const cache = marked ? { cache_control: marker } : {}
  switch (block.type) {
    case "text":
      return { type: "text", text: block.text, ...cache }
    case "tool_use":
      return { type: "tool_use", id: block.id, name: block.name, input: block.input, ...cache }
    case "tool_result":
      return {
        type: "tool_result",
        tool_use_id: block.tool_use_id,
        // The API refuses an error without words.
        content: block.is_error && block.content === "" ? "(no output)" : block.content,
        ...(block.is_error && { is_error: true }),
        ...cache
      }
    case "thinking":
      return { type: "thinking", thinking: block.thinking, signature: block.signature }
    case "redacted_thinking":
      return { type: "redacted_thinking", data: block.data }
  }
}
