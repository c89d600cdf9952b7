/**
 * What an answer of the model means for the work: a pure function of the answer.
 */
import { Data } from "effect"
import type { Response } from "../services/ClaudeClient.ts"
import { textOf, type ToolUseBlock } from "../services/Message.ts"
import { saysSomething, toolUses } from "./conversation.ts"
import { TaskFailed } from "./outcome.ts"
import { nudges } from "./prompt.ts"

export type Verdict = Data.TaggedEnum<{
  /** Run these; `broken` are the ids of calls whose input can't be trusted. */
  Tools: { readonly calls: ReadonlyArray<ToolUseBlock>; readonly broken: ReadonlySet<string> }
  /** The model has to be told something before it can go on. */
  Nudge: { readonly text: string }
  /** The API wants the conversation back as it is. */
  Again: {}
  /** The context is full. */
  TooLong: {}
  Ended: {}
  Failed: { readonly error: TaskFailed }
}>
export const Verdict = Data.taggedEnum<Verdict>()

const failed = (code: string, message: string) => Verdict.Failed({ error: new TaskFailed({ code, message }) })

export const verdictOf = (response: Response): Verdict => {
  const calls = toolUses(response.content)
  if (response.stopReason === "refusal") {
    return failed("model_refused", textOf(response.content) || "The model refused to go on with this task.")
  }
  if (calls.length > 0) return Verdict.Tools({ calls, broken: brokenCalls(response) })
  const silent = !saysSomething(response.content)
  switch (response.stopReason) {
    case "end_turn":
    case "stop_sequence":
    case "tool_use":
      return silent ? Verdict.Nudge({ text: nudges.empty }) : Verdict.Ended()
    case "max_tokens":
      return Verdict.Nudge({ text: nudges.cut })
    case "pause_turn":
      return silent ? Verdict.Nudge({ text: nudges.goOn }) : Verdict.Again()
    case "model_context_window_exceeded":
      return Verdict.TooLong()
    case "other":
      return failed(
        "model_stop_unknown",
        "The model's answer ended for a reason that this version of Errand does not know."
      )
  }
}

/** A call that the token limit cut may look whole and still lack its end. */
const brokenCalls = (response: Response): ReadonlySet<string> => {
  const last = response.content.at(-1)
  const cut = response.stopReason === "max_tokens" && last?.type === "tool_use" ? [last.id] : []
  return new Set<string>([...response.malformedInputs.map(({ toolCallId }) => toolCallId), ...cut])
}
