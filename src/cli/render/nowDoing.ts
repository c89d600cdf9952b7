/**
 * What a task is doing at this moment, for the lines at the bottom of a terminal that are written over.
 *
 * Owns: folding events and previews into it, and telling it. Pure.
 * Does not own: what has happened (`tellEvent.ts`), drawing (`Screen.ts`).
 */
import type { AnyEvent } from "../../services/TaskEvent.ts"
import { duration } from "./figures.ts"
import { codeLine, indented, type Line, line, span } from "./Line.ts"
import { safeLines } from "./safeText.ts"
import { toolTitle } from "./toolTitle.ts"

export interface NowDoing {
  /** Empty when there is nothing to wait for. */
  readonly what: string
  /** Milliseconds since 1970. */
  readonly since: number
  /** Titles of the tools that run, by their calls. */
  readonly tools: ReadonlyMap<string, string>
  /** What is being written: by the model, or by a tool. */
  readonly item: string
  /** Its newest part. */
  readonly text: string
}

export const doingNothing: NowDoing = { what: "", since: 0, tools: new Map(), item: "", text: "" }

/** Characters of a text that are kept to be shown. */
const keptText = 4_000
const shownLines = 5

const now = (doing: NowDoing, what: string, at: number): NowDoing => ({ ...doing, what, since: at, item: "", text: "" })

const thinking = (doing: NowDoing, at: number) => now(doing, "the model is thinking", at)

/** `at` is the time of the event in milliseconds since 1970. */
export const afterEvent = (doing: NowDoing, event: AnyEvent, at: number): NowDoing => {
  switch (event.type) {
    case "task.created":
    case "task.queued":
      return now(doing, "waiting for a free slot", at)
    case "run.started":
      return { ...now(doing, "opening a sandbox and fetching the repository", at), tools: new Map() }
    case "repository.ready":
      return thinking(doing, at)
    case "message.added":
      return doing.tools.size > 0 ? doing : thinking(doing, at)
    case "tool.started": {
      const title = toolTitle(event.tool, event.input)
      return now({ ...doing, tools: new Map(doing.tools).set(event.toolCallId, title) }, title, at)
    }
    case "tool.finished": {
      const tools = new Map(doing.tools)
      tools.delete(event.toolCallId)
      const [running] = tools.values()
      return running === undefined ? thinking({ ...doing, tools }, at) : { ...doing, tools, what: running }
    }
    case "delivery.started":
      return now(doing, "committing and pushing", at)
    case "question.opened":
    case "task.waiting":
      return now(doing, "waiting for an answer", at)
    case "task.paused":
      return now(doing, "paused", at)
    case "task.completed":
    case "task.failed":
    case "task.cancelled":
      return doingNothing
    default:
      return doing
  }
}

/** Previews may be left out: what is there is shown. */
export const afterPreview = (doing: NowDoing, preview: { readonly item: string; readonly text: string }): NowDoing => ({
  ...doing,
  item: preview.item,
  text: (preview.item === doing.item ? doing.text + preview.text : preview.text).slice(-keptText)
})

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"] as const
export const frameMs = 100

/** The lines to show at a time; none when nothing is being done. */
export const tellNow = (doing: NowDoing, at: number): ReadonlyArray<Line> => {
  if (doing.what === "") return []
  const frame = frames[Math.floor(at / frameMs) % frames.length] ?? ""
  const waited = at - doing.since
  const written = safeLines(doing.text).filter((text) => text.trim() !== "")
  return [
    ...indented(
      4,
      written.slice(-shownLines).map((text) => codeLine(span(text, doing.tools.has(doing.item) ? "quiet" : "plain")))
    ),
    {
      ...line(span(`${frame} `, "accent"), doing.what, span(waited < 1_000 ? "" : ` ${duration(waited)}`, "quiet")),
      overflow: "cut"
    }
  ]
}
