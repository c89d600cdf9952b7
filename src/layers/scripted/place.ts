/** A place in a script, as tool call ids and summaries carry it. */
import type { TurnMessage } from "../../services/ClaudeClient.ts"

/** `step` of `scenario` (both from 0) played for the `visit`th time, as answer number `turn` of the conversation. */
export interface Place {
  readonly scenario: number
  readonly step: number
  readonly visit: number
  readonly turn: number
}

const numbers = (place: Place): string => [place.scenario, place.step, place.visit, place.turn].join("_")

/** `unique` tells apart what the same place says to conversations that were rewound. */
export const toolCallId = (place: Place, unique: string, call: number): string =>
  `toolu_s${numbers(place)}_${unique}${call}`

/** For the text of a summary. */
export const showPlace = (place: Place): string => `[script place ${numbers(place)}]`

const inId = /^toolu_s(\d+)_(\d+)_(\d+)_(\d+)_/
const inText = /\[script place (\d+)_(\d+)_(\d+)_(\d+)\]/

/** The place that an answer was given at, or that a text names. */
export const findPlace = (message: TurnMessage): Place | undefined => {
  for (const block of message.content) {
    const found =
      message.role === "assistant"
        ? block.type === "tool_use" && inId.exec(block.id)
        : block.type === "text" && inText.exec(block.text)
    if (!found) continue
    const [scenario = 0, step = 0, visit = 0, turn = 0] = found.slice(1).map(Number)
    return { scenario, step, visit, turn }
  }
  return undefined
}
