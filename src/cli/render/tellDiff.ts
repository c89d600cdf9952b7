/** A patch as lines. */
import { hanging, type Line, line, span, type Style } from "./Line.ts"
import { safeLines } from "./safeText.ts"

const styleOf = (text: string): Style => {
  if (/^(?:diff|index|---|\+\+\+|new file|deleted file|similarity|rename) /.test(text)) return "quiet"
  if (text.startsWith("@@")) return "accent"
  if (text.startsWith("+")) return "good"
  return text.startsWith("-") ? "bad" : "plain"
}

export const tellDiff = (patch: string): ReadonlyArray<Line> =>
  safeLines(patch.replace(/\n$/u, "")).map((text) => hanging(2, line(span(text, styleOf(text)))))
