/** The words in which a change lets people find its task. */
import { firstBytes } from "../../services/excerpts.ts"
import type { TaskChange } from "../../services/TaskChange.ts"

/** Of longer texts only the beginning is found. */
const limit = 64 * 1024

const encoder = new TextEncoder()

const bounded = (text: string): string => (text.length * 3 <= limit ? text : firstBytes(encoder.encode(text), limit))

/** Empty for changes without words of their own. Results of tools are found as such, not again in the message with them. */
export const searchableText = (change: TaskChange): string => {
  switch (change._tag) {
    case "Created":
      return bounded(`${change.draft.title}\n${change.draft.prompt}`)
    case "Updated":
      return bounded(change.patch.title ?? "")
    case "MessageAdded":
      return bounded(change.content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("\n"))
    case "ToolFinished":
      return bounded(change.output)
    default:
      return ""
  }
}
