/**
 * Changes without the values of secrets.
 *
 * Owns: which parts of a change are words of somebody; ids, codes and numbers stay as they are.
 */
import type { Mask } from "./masking.ts"
import type { ContentBlock } from "./Message.ts"
import { TaskChange } from "./TaskChange.ts"
import type { Answer } from "./TaskEvent.ts"

/** Every text in a value of JSON, names of properties included. */
const maskJson = (mask: Mask, value: unknown): unknown => {
  if (typeof value === "string") return mask.text(value)
  if (Array.isArray(value)) return value.map((item) => maskJson(mask, item))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [mask.text(key), maskJson(mask, item)]))
}

/** Thinking is signed, so it can't be changed: one that tells a value is left out. */
export const maskContent = (mask: Mask, content: ReadonlyArray<ContentBlock>): ReadonlyArray<ContentBlock> =>
  mask.active ? content.flatMap((block) => maskBlock(mask, block)) : content

const maskBlock = (mask: Mask, block: ContentBlock): ReadonlyArray<ContentBlock> => {
  switch (block.type) {
    case "text":
      return [{ ...block, text: mask.text(block.text) }]
    case "tool_use":
      return [{ ...block, input: maskJson(mask, block.input) }]
    case "tool_result":
      return [{ ...block, content: mask.text(block.content) }]
    case "thinking":
      return mask.text(block.thinking) === block.thinking ? [block] : []
    case "redacted_thinking":
      return [block]
  }
}

const maskAnswer = (mask: Mask, answer: Answer): Answer => ({
  ...answer,
  ...(answer.choice === undefined ? {} : { choice: mask.text(answer.choice) }),
  ...(answer.text === undefined ? {} : { text: mask.text(answer.text) })
})

export const maskChange = (mask: Mask, change: TaskChange): TaskChange => {
  switch (change._tag) {
    case "MessageAdded":
      return TaskChange.MessageAdded({ ...change, content: maskContent(mask, change.content) })
    case "MessageQueued":
      return TaskChange.MessageQueued({ ...change, content: mask.text(change.content) })
    case "ToolStarted":
      return TaskChange.ToolStarted({ ...change, input: maskJson(mask, change.input) })
    case "ToolFinished":
      return TaskChange.ToolFinished({ ...change, output: mask.text(change.output) })
    case "QuestionOpened":
      return TaskChange.QuestionOpened({
        ...change,
        title: mask.text(change.title),
        detail: mask.text(change.detail),
        choices: change.choices.map(mask.text),
        default: maskAnswer(mask, change.default)
      })
    case "QuestionClosed":
      return TaskChange.QuestionClosed({ ...change, answer: maskAnswer(mask, change.answer) })
    case "RetryScheduled":
      return TaskChange.RetryScheduled({ ...change, message: mask.text(change.message) })
    case "NetworkBlocked":
      return TaskChange.NetworkBlocked({ ...change, host: mask.text(change.host) })
    case "Updated": {
      const { tags, title, ...rest } = change.patch
      return TaskChange.Updated({
        patch: {
          ...rest,
          ...(title === undefined ? {} : { title: mask.text(title) }),
          ...(tags === undefined ? {} : { tags: tags.map(mask.text) })
        }
      })
    }
    case "Failed":
      return TaskChange.Failed({ error: { ...change.error, message: mask.text(change.error.message) } })
    default:
      return change
  }
}
