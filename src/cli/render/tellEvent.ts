/**
 * The story of a task, told event by event.
 *
 * Owns: which events are worth a line, and the words. Pure: a story so far and an event give lines and the story on.
 * Does not own: layout and colours (`Line.ts`), what is shown while nothing has happened yet (`nowDoing.ts`).
 */
import type { AnyEvent, Answer, TaskEvent } from "../../services/TaskEvent.ts"
import { noUsage, type Usage } from "../../services/Task.ts"
import { count, dollars, duration, shortCommit } from "./figures.ts"
import { blank, hanging, indented, type Line, line, type Span, span } from "./Line.ts"
import { pauseRemedy } from "./pauseRemedy.ts"
import { safeLine, safeLines } from "./safeText.ts"
import { tellToolFinished, underTool } from "./tellTool.ts"
import { tellWords } from "./tellWords.ts"
import { toolTitle } from "./toolTitle.ts"

/** What must be remembered of the events before to tell the next one. */
export interface Story {
  readonly tools: ReadonlyMap<string, { readonly tool: string; readonly input: unknown }>
  /** The tool call whose title stands last, so that its result needs no title. */
  readonly lastTool: string | undefined
  readonly turns: number
  readonly usage: Usage
  /** Milliseconds since 1970. */
  readonly startedAt: number | undefined
}

export const noStory: Story = {
  tools: new Map(),
  lastTool: undefined,
  turns: 0,
  usage: noUsage,
  startedAt: undefined
}

export interface Happened {
  /** RFC 3339. */
  readonly at: string
  readonly event: AnyEvent
}

const quiet = (text: string): Span => span(text, "quiet")

const note = (text: string): Line => line(quiet(text))

const runReasons: Readonly<Record<string, string>> = {
  recovery: "the server stopped in the middle of it",
  shutdown: "the server was stopped",
  retry: "it was retried",
  follow_up: "there is a new message",
  rewind: "it was taken back to a checkpoint",
  answer: "a question was closed",
  resume: "it was resumed"
}

const answerText = ({ choice, decision, text }: Answer): string =>
  safeLine([decision, choice, text].filter((part) => part !== undefined).join(": "))

const question = (event: Extract<TaskEvent, { readonly type: "question.opened" }>): ReadonlyArray<Line> => [
  line(span("? ", "warning"), span(safeLine(event.title), "strong")),
  ...indented(2, [
    ...(event.detail === "" ? [] : safeLines(event.detail).map((text) => line(text))),
    ...event.choices.map((choice) => line(quiet("- "), safeLine(choice))),
    note(`until ${event.expiresAt}, then: ${answerText(event.default)}`),
    note(`answer it with POST /api/v1/questions/${event.questionId}/answer, revision ${event.revision}`)
  ])
]

/** Of the user's side a person wrote only what `message.queued` told; the rest are results and the server's own words. */
const message = (event: Extract<TaskEvent, { readonly type: "message.added" }>): ReadonlyArray<Line> =>
  event.role === "user"
    ? []
    : event.content.flatMap((block) =>
        block.type === "text" && block.text.trim() !== ""
          ? [blank, ...tellWords("●", safeLines(block.text.trim()))]
          : []
      )

const pullRequestWords = ({
  checks,
  draft,
  review,
  state
}: Extract<TaskEvent, { readonly type: "pull_request.updated" }>): string =>
  [
    draft && state === "open" ? "draft" : state,
    ...(checks === "none" ? [] : [`checks ${checks}`]),
    ...(review === "none" ? [] : [review.replace("_", " ")])
  ].join(", ")

const closing = (story: Story, at: string): string => {
  const tokens =
    story.usage.inputTokens + story.usage.outputTokens + story.usage.cacheReadTokens + story.usage.cacheWriteTokens
  return [
    ...(story.startedAt === undefined ? [] : [duration(Date.parse(at) - story.startedAt)]),
    count(story.turns, "turn"),
    count(tokens, "token"),
    dollars(story.usage.costUsd)
  ].join(" · ")
}

const linesOf = (story: Story, { at, event }: Happened): ReadonlyArray<Line> => {
  switch (event.type) {
    case "task.created":
      return [line(span(safeLine(event.title), "strong")), note(safeLine(event.repository.url))]
    case "task.queued":
      return [note(event.reason === "start" ? "queued" : `queued again: ${runReasons[event.reason] ?? event.reason}`)]
    case "run.started":
      return event.run === 1 ? [] : [note(`run ${event.run}`)]
    case "sandbox.ready":
      return [note("sandbox ready")]
    case "repository.ready":
      return [
        note(
          `${event.baseCommit === null ? "empty repository" : `cloned at ${shortCommit(event.baseCommit)}`}, branch ${safeLine(event.branch)}`
        )
      ]
    case "message.added":
      return message(event)
    case "message.queued":
      return tellWords(">", safeLines(event.text.trim()))
    case "tool.started":
      return indented(2, [hanging(2, line(span(toolTitle(event.tool, event.input), "accent")))])
    case "tool.finished": {
      const started = story.tools.get(event.toolCallId)
      const lines = tellToolFinished(event, started)
      const title =
        lines.length > 0 && started !== undefined && story.lastTool !== event.toolCallId
          ? indented(2, [note(toolTitle(started.tool, started.input))])
          : []
      return [...title, ...underTool(lines)]
    }
    case "checkpoint.saved":
      return indented(4, [
        note(
          `saved ${count(event.files, "file")} +${event.additions} -${event.deletions} (${shortCommit(event.commit)})`
        )
      ])
    case "question.opened":
      return question(event)
    case "question.closed":
      return indented(2, [note(`${event.outcome}: ${answerText(event.answer)}`)])
    case "retry.scheduled":
      return [
        line(
          span(`! ${safeLine(event.message)}`, "warning"),
          quiet(` (${safeLine(event.code)}, again in ${duration(event.delayMs)})`)
        )
      ]
    case "network.blocked":
      return [line(span(`! ${safeLine(event.host)} is blocked: ${safeLine(event.reason)}`, "warning"))]
    case "delivery.started":
      return [note("delivering")]
    case "ci.changed":
      return event.paths.length === 0
        ? []
        : [
            line(span("! changes CI definitions: ", "warning"), safeLine(event.paths.slice(0, 5).join(", "))),
            ...(event.paths.length > 5 ? [note(`  and ${event.paths.length - 5} more`)] : [])
          ]
    case "branch.pushed":
      return [line(span("pushed ", "good"), safeLine(event.branch), quiet(` ${shortCommit(event.commit)}`))]
    case "pull_request.opened":
      return [line(span("pull request ", "good"), safeLine(event.url))]
    case "pull_request.updated":
      return [line(quiet("pull request "), pullRequestWords(event))]
    case "task.waiting":
      return [note("waiting for an answer")]
    case "task.paused":
      return [line(span("paused: ", "warning"), pauseRemedy(event.reason, event.budget))]
    case "task.resumed":
      return [note("resumed")]
    case "task.rewound":
      return [line(span("rewound ", "warning"), quiet(`to ${shortCommit(event.checkpoint)}`))]
    case "task.completed":
      return [line(span("completed", "good"), quiet(` ${closing(story, at)}`))]
    case "task.failed":
      return [
        line(span("failed: ", "bad"), safeLine(event.message), quiet(` (${safeLine(event.code)})`)),
        note(closing(story, at))
      ]
    case "task.cancelled":
      return [line(span("cancelled", "warning"), quiet(` ${closing(story, at)}`))]
    case "message.withdrawn":
    case "usage.updated":
    case "task.updated":
    case "task.changed":
      return []
  }
}

const remember = (story: Story, { at, event }: Happened): Story => {
  switch (event.type) {
    case "run.started":
      return { ...story, startedAt: story.startedAt ?? Date.parse(at) }
    case "message.added":
      return event.role === "assistant" ? { ...story, turns: story.turns + 1, lastTool: undefined } : story
    case "tool.started":
      return {
        ...story,
        tools: new Map(story.tools).set(event.toolCallId, { tool: event.tool, input: event.input }),
        lastTool: event.toolCallId
      }
    case "tool.finished": {
      const tools = new Map(story.tools)
      tools.delete(event.toolCallId)
      return { ...story, tools, lastTool: story.lastTool === event.toolCallId ? story.lastTool : undefined }
    }
    case "usage.updated":
      return { ...story, usage: event }
    default:
      return story
  }
}

/** The lines that an event adds to a story, and the story with it. */
export const tellEvent = (story: Story, happened: Happened): readonly [Story, ReadonlyArray<Line>] => [
  remember(story, happened),
  linesOf(story, happened)
]
