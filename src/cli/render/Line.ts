/**
 * A line before it is laid out: words with a meaning, which become colours or not, in the room that there is.
 *
 * Owns: the shape of lines, laying them out in columns, painting them.
 * Does not own: what they say (`tellEvent.ts`), where they go (`Screen.ts`).
 */
import { styleText } from "node:util"
import { cut, split, widthOf } from "./width.ts"

export type Style = "plain" | "strong" | "quiet" | "accent" | "good" | "bad" | "warning"

export interface Span {
  readonly text: string
  readonly style: Style
}

/** `overflow`: a line that is too long goes on below, `hang` columns further in, or is cut. */
export interface Line {
  readonly indent: number
  readonly hang: number
  readonly spans: ReadonlyArray<Span>
  readonly overflow: "wrap" | "cut"
}

/** `columns` none: lines are as long as they are, as in a file. */
export interface Look {
  readonly columns: number | undefined
  readonly color: boolean
}

export const span = (text: string, style: Style = "plain"): Span => ({ text, style })

const asSpan = (part: string | Span): Span => (typeof part === "string" ? span(part) : part)

/** A line of prose. */
export const line = (...parts: ReadonlyArray<string | Span>): Line => ({
  indent: 0,
  hang: 0,
  spans: parts.map(asSpan),
  overflow: "wrap"
})

/** A line of code or output, which is not worth more than one line on the screen. */
export const codeLine = (...parts: ReadonlyArray<string | Span>): Line => ({ ...line(...parts), overflow: "cut" })

export const hanging = (by: number, told: Line): Line => ({ ...told, hang: by })

export const indented = (by: number, lines: ReadonlyArray<Line>): ReadonlyArray<Line> =>
  lines.map((each) => ({ ...each, indent: each.indent + by }))

export const blank: Line = line()

/** What the line says, without any layout. */
export const textOf = ({ spans }: Line): string => spans.map(({ text }) => text).join("")

const formats = {
  strong: "bold",
  quiet: "dim",
  accent: "cyan",
  good: "green",
  bad: "red",
  warning: "yellow"
} as const satisfies Record<Exclude<Style, "plain">, Parameters<typeof styleText>[0]>

const joinAlike = (spans: ReadonlyArray<Span>): ReadonlyArray<Span> => {
  const joined: Array<Span> = []
  for (const next of spans) {
    const last = joined.at(-1)
    if (last?.style === next.style) joined.splice(-1, 1, span(last.text + next.text, next.style))
    else joined.push(next)
  }
  return joined
}

/** Whether colours are wanted here was decided for the whole screen. */
const here = { validateStream: false }

/** Each style is closed where it ends, so that no colour leaks into what follows. */
const paint = (spans: ReadonlyArray<Span>, color: boolean): string =>
  joinAlike(spans)
    .map(({ style, text }) =>
      style === "plain" || !color || text === "" ? text : styleText(formats[style], text, here)
    )
    .join("")

const cutSpans = (spans: ReadonlyArray<Span>, columns: number): ReadonlyArray<Span> => {
  const total = spans.reduce((sum, { text }) => sum + widthOf(text), 0)
  if (total <= columns) return spans
  const kept: Array<Span> = []
  let room = columns
  for (const { style, text } of spans) {
    const width = widthOf(text)
    if (width >= room) {
      // A span that just fits still gives way to the mark that more followed.
      kept.push(span(cut(`${text} `, room), style))
      break
    }
    kept.push(span(text, style))
    room -= width
  }
  return kept
}

/** `rooms`: columns of the first row, and of those below. */
const wrapSpans = (
  spans: ReadonlyArray<Span>,
  rooms: { readonly first: number; readonly below: number }
): ReadonlyArray<ReadonlyArray<Span>> => {
  const rows: Array<Array<Span>> = []
  let row: Array<Span> = []
  let room = rooms.first
  let used = 0
  const endRow = () => {
    rows.push(row)
    row = []
    room = rooms.below
    used = 0
  }
  for (const { style, text } of spans) {
    for (const word of text.split(/(?<= )(?=[^ ])/u)) {
      let rest = word
      if (used > 0 && used + widthOf(rest.trimEnd()) > room) endRow()
      while (widthOf(rest.trimEnd()) > room) {
        const [fitting, more] = split(rest, room)
        row.push(span(fitting, style))
        endRow()
        rest = more
      }
      row.push(span(rest, style))
      used += widthOf(rest)
    }
  }
  return [...rows, row]
}

const withoutTrailingSpace = (text: string): string => text.replace(/ +$/u, "")

/** Columns left of the text; on a narrow screen the text matters more. */
const marginFor = (indent: number, columns: number): number =>
  Math.max(0, Math.min(indent, columns - Math.min(columns, 24)))

/** The rows that a line takes on a screen, or the one that it is in a file. */
export const layOut = ({ hang, indent, overflow, spans }: Line, { color, columns }: Look): ReadonlyArray<string> => {
  const rowAt = (margin: number, row: ReadonlyArray<Span>) =>
    row.every(({ text }) => text === "") ? "" : withoutTrailingSpace(" ".repeat(margin) + paint(row, color))
  if (columns === undefined) return [rowAt(indent, spans)]
  const first = marginFor(indent, columns)
  if (overflow === "cut") return [rowAt(first, cutSpans(spans, columns - first))]
  const below = marginFor(indent + hang, columns)
  return wrapSpans(spans, { first: columns - first, below: columns - below }).map((row, index) =>
    rowAt(index === 0 ? first : below, row)
  )
}
