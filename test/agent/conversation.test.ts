import { describe, expect, it } from "@effect/vitest"
import { openCalls, text, toolResult, toRequest } from "../../src/agent/conversation.ts"
import { definitions } from "../../src/agent/toolCatalogue.ts"
import { forModel } from "../../src/agent/tools.ts"
import { group } from "../../src/agent/useTools.ts"
import type { TurnMessage } from "../../src/services/ClaudeClient.ts"
import { ToolCallId } from "../../src/services/Ids.ts"
import { lastWords, type ToolUseBlock } from "../../src/services/Message.ts"

const use = (id: string, name = "read_file"): ToolUseBlock => ({
  type: "tool_use",
  id: ToolCallId.make(id),
  name,
  input: {}
})

const conversation: ReadonlyArray<TurnMessage> = [
  { role: "user", content: [text("do it")] },
  { role: "assistant", content: [text("first"), use("a")] },
  { role: "user", content: [toolResult(ToolCallId.make("a"), "ok", false)] },
  { role: "assistant", content: [text("done")] },
  { role: "user", content: [text("more")] }
]

describe("toRequest", () => {
  it("only ever grows at its end", () => {
    for (let length = 1; length < conversation.length; length++) {
      const { cacheAfter: _, ...shorter } = toRequest("m", conversation.slice(0, length), 1)
      const longer = toRequest("m", conversation.slice(0, length + 1), 1)
      const before = JSON.stringify([shorter.system, shorter.tools, shorter.messages]).slice(0, -2)
      expect(JSON.stringify([longer.system, longer.tools, longer.messages]).startsWith(before)).toBe(true)
    }
  })

  it("marks the static system prompt, and the user's last two messages", () => {
    const request = toRequest("m", conversation, 1)
    expect(request.system.map(({ cache }) => cache)).toEqual([true])
    expect(request.cacheAfter).toEqual([2, 4])
  })
})

describe("the tools", () => {
  it("are the seven, each with a closed input schema", () => {
    expect(definitions.map(({ name }) => name)).toEqual([
      "read_file",
      "write_file",
      "edit_file",
      "list_files",
      "search_files",
      "run_command",
      "ask_user"
    ])
    for (const { inputSchema } of definitions) {
      expect(inputSchema).toMatchObject({ type: "object", additionalProperties: false })
      expect(JSON.stringify(inputSchema)).not.toContain("$ref")
    }
  })

  it("run side by side when they only read, at most four at once", () => {
    const calls = [use("a"), use("b"), use("c", "run_command"), use("d"), use("e"), use("f"), use("g"), use("h")]
    expect(group(calls).map((calls) => calls.map(({ id }) => id))).toEqual([
      ["a", "b"],
      ["c"],
      ["d", "e", "f", "g"],
      ["h"]
    ])
  })

  it("show the model both ends of a long output, whole characters only", () => {
    const shown = forModel("ä".repeat(100_000))
    expect(Buffer.byteLength(shown)).toBeLessThan(30_200)
    expect(shown).not.toContain("\ufffd")
    expect(shown).toContain("170000 bytes left out")
    expect(forModel("short")).toBe("short")
  })
})

describe("reading a conversation", () => {
  it("finds the calls that have no result yet", () => {
    expect(openCalls(conversation)).toEqual([])
    expect(openCalls(conversation.slice(0, 2))).toEqual([use("a")])
    expect(openCalls([])).toEqual([])
  })

  it("takes the last words of the model as its closing words", () => {
    expect(lastWords(conversation)).toBe("done")
    expect(lastWords([])).toBe("")
  })
})
