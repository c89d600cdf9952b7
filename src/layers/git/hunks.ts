/**
 * The hunks of one file's difference, read from git's unified format.
 */
import type { Hunk } from "../../services/GitStore.ts"

type Line = Hunk["lines"][number]
type Draft = Omit<Hunk, "lines"> & { readonly lines: Array<Line> }

const header = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)$/

const begin = (match: RegExpExecArray): Draft => {
  const [, oldStart, oldLines = "1", newStart, newLines = "1", heading = ""] = match
  return {
    oldStart: Number(oldStart),
    oldLines: Number(oldLines),
    newStart: Number(newStart),
    newLines: Number(newLines),
    heading,
    lines: []
  }
}

const kinds: Readonly<Record<string, Line["kind"]>> = { " ": "context", "+": "addition", "-": "deletion" }

/** Reads hunks up to a number of lines; what stands before the first hunk is passed over. */
export const parseHunks = (
  text: string,
  limits: { readonly lines: number }
): { readonly hunks: ReadonlyArray<Hunk>; readonly truncated: boolean } => {
  const hunks: Array<Draft> = []
  let total = 0
  let oldLine = 0
  let newLine = 0
  for (const line of text.split("\n")) {
    const hunk = hunks.at(-1)
    const inside =
      hunk !== undefined && (oldLine < hunk.oldStart + hunk.oldLines || newLine < hunk.newStart + hunk.newLines)
    if (line.startsWith("\\")) {
      const last = hunk?.lines.pop()
      if (last !== undefined) hunk?.lines.push({ ...last, newline: false })
      continue
    }
    const kind = kinds[line[0] ?? ""]
    if (hunk === undefined || !inside || kind === undefined) {
      const match = header.exec(line)
      if (match === null) continue
      const next = begin(match)
      hunks.push(next)
      oldLine = next.oldStart
      newLine = next.newStart
      continue
    }
    if (total >= limits.lines) return { hunks, truncated: true }
    total++
    hunk.lines.push({
      kind,
      text: line.slice(1),
      oldLine: kind === "addition" ? null : oldLine++,
      newLine: kind === "deletion" ? null : newLine++,
      newline: true
    })
  }
  return { hunks, truncated: false }
}
