/** From the wire to the words of `ClaudeClient`, in which scripts are played. */
import type { ScriptedBlock } from "../../../src/layers/scripted/ScriptedAnswer.ts"
import type { TurnMessage } from "../../../src/services/ClaudeClient.ts"
import { ToolCallId } from "../../../src/services/Ids.ts"
import type { ContentBlock } from "../../../src/services/Message.ts"
import { blocksOf, type WireBlock, type WireRequest } from "./wireRequest.ts"

export const toTurnMessages = (request: WireRequest): ReadonlyArray<TurnMessage> =>
  request.messages.map(({ content, role }) => ({ role, content: blocksOf(content).map(toContentBlock) }))

const toContentBlock = (block: WireBlock): ContentBlock => {
  switch (block.type) {
    case "text":
      return { type: "text", text: block.text }
    case "tool_use":
      return { type: "tool_use", id: ToolCallId.make(block.id), name: block.name, input: block.input }
    case "tool_result":
      return {
        type: "tool_result",
        tool_use_id: ToolCallId.make(block.tool_use_id),
        content:
          typeof block.content === "string" ? block.content : (block.content ?? []).map(({ text }) => text).join("\n"),
        is_error: block.is_error ?? false
      }
    case "thinking":
      return { type: "thinking", thinking: block.thinking, signature: block.signature }
    case "redacted_thinking":
      return { type: "redacted_thinking", data: block.data }
  }
}

/** The same for an answer, and for the message that gives it back. */
export const fingerprint = (content: string | ReadonlyArray<WireBlock | ScriptedBlock>): string =>
  typeof content === "string"
    ? JSON.stringify([content])
    : JSON.stringify(
        content.map((block) => {
          if (block.type === "tool_use") return block.id
          if (block.type === "thinking") return block.signature
          return "text" in block ? block.text : ""
        })
      )
