/** Signatures of thinking: the API takes a thought back only unchanged, after the very messages that it followed. */
import { createHash } from "node:crypto"
import type { Turn } from "./conversationRules.ts"

const withoutMarkers = (key: string, value: unknown) => (key === "cache_control" ? undefined : value)

export const sign = (before: ReadonlyArray<Turn>, thinking: string): string =>
  createHash("sha256")
    .update(JSON.stringify([before, thinking], withoutMarkers))
    .digest("base64")

/** The place of the first thought that was changed or moved. */
export const findForged = (turns: ReadonlyArray<Turn>): string | undefined => {
  for (const [index, turn] of turns.entries()) {
    for (const [position, block] of turn.content.entries()) {
      if (block.type !== "thinking") continue
      // An answer that goes on after a pause has thought after its own beginning too.
      const starts = [
        turns.slice(0, index),
        [...turns.slice(0, index), { ...turn, content: turn.content.slice(0, position) }]
      ]
      if (!starts.some((before) => sign(before, block.thinking) === block.signature)) {
        return `messages.${index}.content.${position}: Invalid \`signature\` in \`thinking\` block`
      }
    }
  }
  return undefined
}
