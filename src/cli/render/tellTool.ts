/** What a tool call did, as lines: the change that an edit makes, the end of what a command said. */
import { Predicate } from "effect"
import type { TaskEvent } from "../../services/TaskEvent.ts"
import { bytes, count, duration } from "./figures.ts"
import { codeLine, indented, type Line, line, span, type Style } from "./Line.ts"
import { safeLines } from "./safeText.ts"

type ToolFinished = Extract<TaskEvent, { readonly type: "tool.finished" }>

/** Lines of output that are shown of a command that worked, and of one that did not. */
const shownLines = 6
const shownLinesOfFailure = 14
/** Lines that are shown of each side of an edit. */
const editedLines = 8

/** These bring something to the model that a reader of the story has no use for. */
const quietTools: ReadonlySet<string> = new Set(["read_file", "list_files", "search_files", "write_file", "edit_file"])

const withoutBlankEnds = (lines: ReadonlyArray<string>): ReadonlyArray<string> => {
  const full = lines.findIndex((text) => text.trim() !== "")
  return full < 0 ? [] : lines.slice(full, lines.findLastIndex((text) => text.trim() !== "") + 1)
}

const someOf = (lines: ReadonlyArray<string>, most: number, mark: string, style: Style): ReadonlyArray<Line> => [
  ...lines.slice(0, most).map((text) => codeLine(span(`${mark} ${text}`, style))),
  ...(lines.length > most ? [line(span(`${mark} … ${count(lines.length - most, "more line")}`, "quiet"))] : [])
]

const side = (input: unknown, key: string, mark: string, style: Style): ReadonlyArray<Line> =>
  Predicate.hasProperty(input, key) && typeof input[key] === "string" && input[key] !== ""
    ? someOf(safeLines(input[key].replace(/\n$/u, "")), editedLines, mark, style)
    : []

const edit = (input: unknown): ReadonlyArray<Line> => [
  ...side(input, "old_text", "-", "bad"),
  ...side(input, "new_text", "+", "good")
]

/** The last lines: that is where commands say how it went. */
const tailOf = (output: ToolFinished["output"], most: number): ReadonlyArray<Line> => {
  const lines = withoutBlankEnds(safeLines(output.tail === "" ? output.head : output.tail))
  const shown = lines.slice(-most)
  const isCut = shown.length < lines.length || output.tail !== ""
  return [
    ...(isCut ? [line(span(`… ${bytes(output.bytes)} in all`, "quiet"))] : []),
    ...shown.map((text) => codeLine(span(text, "quiet")))
  ]
}

const verdict = ({ durationMs, exitCode, isError }: ToolFinished): Line => {
  const took = span(` in ${duration(durationMs)}`, "quiet")
  if (exitCode !== undefined) return line(span(`exit ${exitCode}`, exitCode === 0 ? "good" : "bad"), took)
  return line(isError ? span("failed", "bad") : span("done", "good"), took)
}

/** `started` is what is known of its beginning. */
export const tellToolFinished = (
  event: ToolFinished,
  started: { readonly tool: string; readonly input: unknown } | undefined
): ReadonlyArray<Line> => {
  if (event.isError && event.exitCode === undefined)
    return [...tailOf(event.output, shownLinesOfFailure), verdict(event)]
  if (started?.tool === "edit_file") return edit(started.input)
  if (started !== undefined && quietTools.has(started.tool)) return []
  const failed = event.isError || (event.exitCode ?? 0) !== 0
  return [...tailOf(event.output, failed ? shownLinesOfFailure : shownLines), verdict(event)]
}

export const underTool = (lines: ReadonlyArray<Line>): ReadonlyArray<Line> => indented(4, lines)
