/**
 * What a task is doing at this moment, for the lines at the bottom of a terminal that are written over.
 *
 * Owns: folding events and previews into it, and telling it. Pure.
 * Does not own: what has happened (`tellEvent.ts`), drawing (`Screen.ts`).
 */
import type { AnyEvent } from "../../services/TaskEvent.ts"
import { duration } from "./figures.ts"
import { blank, codeLine, indented, type Line, line, span } from "./Line.ts"
import { safeLines } from "./safeText.ts"
import { tellWords } from "./tellWords.ts"

export interface NowDoing {
  /** Empty when there is nothing to wait for. */
  readonly what: string
  /** Milliseconds since 1970. */
  readonly since: number
  /** Tool calls that run. */
  readonly tools: ReadonlySet<string>
  /** What is being written: by the model, or by a tool. */
  readonly item: string
  /** Its newest part. */
  readonly text: string
  /** Messages and tool calls that are whole: what still comes of them is late. */
  readonly over: ReadonlyArray<string>
}

export const doingNothing: NowDoing = { what: "", since: 0, tools: new Set(), item: "", text: "", over: [] }

/** Characters of a text that are kept to be shown. */
const keptText = 4_000
const shownLines = 5
const shownProse = 10
/** As many calls as a message may have side by side. */
const keptOver = 64

const over = (doing: NowDoing, id: string): NowDoing => ({ ...doing, over: [...doing.over, id].slice(-keptOver) })

const now = (doing: NowDoing, what: string, at: number): NowDoing => ({ ...doing, what, since: at, item: "", text: "" })

/** The title of the last one stands above already. */
const running = (tools: ReadonlySet<string>) => (tools.size > 1 ? `${tools.size} tools are running` : "running")

const thinking = (doing: NowDoing, at: number) => now(doing, "the model is thinking", at)

/** `at` is the time of the event in milliseconds since 1970. */
export const afterEvent = (doing: NowDoing, event: AnyEvent, at: number): NowDoing => {
  switch (event.type) {
    case "task.created":
    case "task.queued":
      return now(doing, "waiting for a free slot", at)
    case "run.started":
      return { ...now(doing, "opening a sandbox and fetching the repository", at), tools: new Set() }
    case "repository.ready":
      return thinking(doing, at)
    case "message.added":
      return thinking(over(doing, event.messageId), at)
    case "tool.started": {
      const tools = new Set(doing.tools).add(event.toolCallId)
      return now({ ...doing, tools }, running(tools), at)
    }
    case "tool.finished": {
      const tools = new Set(doing.tools)
      tools.delete(event.toolCallId)
      const rest = over({ ...doing, tools }, event.toolCallId)
      return tools.size === 0 ? thinking(rest, at) : { ...rest, what: running(tools) }
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
export const afterPreview = (
  doing: NowDoing,
  { item, text }: { readonly item: string; readonly text: string }
): NowDoing =>
  doing.over.some((id) => item === id || item.startsWith(`${id}:`))
    ? doing
    : { ...doing, item, text: (item === doing.item ? doing.text + text : text).slice(-keptText) }

/** A tool's output as the end of it scrolls by, the model's words as they will stand. */
const tellWritten = ({ item, text, tools }: NowDoing): ReadonlyArray<Line> => {
  if (text.trim() === "") return []
  const lines = safeLines(text.trimEnd())
  if (!tools.has(item)) return [blank, ...tellWords("●", lines.slice(-shownProse))]
  const full = lines.filter((each) => each.trim() !== "")
  return indented(
    4,
    full.slice(-shownLines).map((each) => codeLine(span(each, "quiet")))
  )
}

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"] as const
export const frameMs = 100

/** The lines to show at a time; none when nothing is being done. */
export const tellNow = (doing: NowDoing, at: number): ReadonlyArray<Line> => {
  if (doing.what === "") return []
  const frame = frames[Math.floor(at / frameMs) % frames.length] ?? ""
  const waited = at - doing.since
  return [
    ...tellWritten(doing),
    {
      ...line(span(`${frame} `, "accent"), doing.what, span(waited < 1_000 ? "" : ` ${duration(waited)}`, "quiet")),
      overflow: "cut"
    }
  ]
}
