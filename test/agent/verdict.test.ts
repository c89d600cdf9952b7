import { describe, expect, it } from "@effect/vitest"
import { verdictOf } from "../../src/agent/verdict.ts"
import { nudges } from "../../src/agent/prompt.ts"
import type { Response, StopReason } from "../../src/services/ClaudeClient.ts"
import { ToolCallId } from "../../src/services/Ids.ts"
import type { ContentBlock } from "../../src/services/Message.ts"

const response = (stopReason: StopReason, content: ReadonlyArray<ContentBlock> = []): Response => ({
  id: "msg_1",
  model: "scripted",
  content,
  stopReason,
  tokens: { inputTokens: 1, outputTokens: 1, cacheReadTokens: 0, cacheWriteTokens: 0 },
  malformedInputs: []
})

const words: ContentBlock = { type: "text", text: "words" }
const call = (id: string): ContentBlock => ({
  type: "tool_use",
  id: ToolCallId.make(id),
  name: "run_command",
  input: { command: "true" }
})

describe("verdictOf", () => {
  it("ends the turn when the model has said something and asks for nothing", () => {
    expect(verdictOf(response("end_turn", [words]))._tag).toBe("Ended")
    expect(verdictOf(response("stop_sequence", [words]))._tag).toBe("Ended")
  })

  it("runs every call, whatever reason the answer ended for", () => {
    for (const reason of ["tool_use", "end_turn", "pause_turn"] as const) {
      const verdict = verdictOf(response(reason, [words, call("a"), call("b")]))
      expect(verdict).toMatchObject({ _tag: "Tools", calls: [{ id: "a" }, { id: "b" }] })
    }
  })

  it("does not trust the call that the token limit cut", () => {
    expect(verdictOf(response("max_tokens", [call("a"), call("b")]))).toMatchObject({ broken: new Set(["b"]) })
    expect(verdictOf(response("tool_use", [call("a"), call("b")]))).toMatchObject({ broken: new Set() })
  })

  it("does not trust a call whose input is not JSON", () => {
    const malformed = { ...response("tool_use", [call("a")]), malformedInputs: [{ toolCallId: "a", text: "{" }] }
    expect(verdictOf(malformed)).toMatchObject({ broken: new Set(["a"]) })
  })

  it("asks once more after an answer that is empty or cut", () => {
    expect(verdictOf(response("end_turn"))).toMatchObject({ _tag: "Nudge", text: nudges.empty })
    expect(verdictOf(response("max_tokens", [words]))).toMatchObject({ _tag: "Nudge", text: nudges.cut })
  })

  it("sends a paused turn back as it is", () => {
    expect(verdictOf(response("pause_turn", [words]))._tag).toBe("Again")
  })

  it("fails on a refusal, with the model's own words, even when it asked for tools", () => {
    expect(verdictOf(response("refusal", [words, call("a")]))).toMatchObject({
      _tag: "Failed",
      error: { code: "model_refused", message: "words" }
    })
  })

  it("knows a full context, and fails on reasons that it does not know", () => {
    expect(verdictOf(response("model_context_window_exceeded", [words]))._tag).toBe("TooLong")
    expect(verdictOf(response("other", [words]))).toMatchObject({
      _tag: "Failed",
      error: { code: "model_stop_unknown" }
    })
  })
})
