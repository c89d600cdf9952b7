/** What somebody said, with a mark before it that tells who. */
import { hanging, type Line, line, span } from "./Line.ts"

export const tellWords = (mark: string, lines: ReadonlyArray<string>): ReadonlyArray<Line> =>
  lines.map((each, index) => hanging(2, line(span(index === 0 ? `${mark} ` : "  ", "accent"), each)))
