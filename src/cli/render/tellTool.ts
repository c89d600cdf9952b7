/** What a tool call did, as lines: the change that an edit makes, the end of what a command said. */
import { Predicate } from "effect"
import type { TaskEvent } from "../../services/TaskEvent.ts"
import { bytes, count, duration } from "./figures.ts"
import { codeLine, indented, type Line, line, span, type Style } from "./Line.ts"
import { safeLines } from "./safeText.ts"

type ToolFinished = Extract<TaskEvent, { readonly type: "tool.finished" }>

/** Lines that are shown of an output: of a command that worked its end says enough, of another one both ends. */
const ofSuccess = { head: 0, tail: 6 }
const ofFailure = { head: 8, tail: 6 }
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

/** Told again in the verdict. */
const exitNote = /^\[exit code \d+\]$/

const linesOf = (text: string): ReadonlyArray<string> =>
  withoutBlankEnds(safeLines(text).filter((each) => !exitNote.test(each)))

const quiet = (text: string): Line => codeLine(span(text, "quiet"))

const endsOf = (output: ToolFinished["output"], most: typeof ofSuccess): ReadonlyArray<Line> => {
  const head = linesOf(output.head)
  const tail = linesOf(output.tail)
  if (output.tail === "" && head.length <= most.head + most.tail) return head.map(quiet)
  return [
    ...head.slice(0, most.head).map(quiet),
    line(span(`… ${bytes(output.bytes)} in all`, "quiet")),
    ...(output.tail === "" ? head : tail).slice(-most.tail).map(quiet)
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
  if (event.isError && event.exitCode === undefined) return [...endsOf(event.output, ofFailure), verdict(event)]
  if (started?.tool === "edit_file") return edit(started.input)
  if (started !== undefined && quietTools.has(started.tool)) return []
  const failed = event.isError || (event.exitCode ?? 0) !== 0
  return [...endsOf(event.output, failed ? ofFailure : ofSuccess), verdict(event)]
}

export const underTool = (lines: ReadonlyArray<Line>): ReadonlyArray<Line> => indented(4, lines)
