/**
 * A task told as plain text: a line with the time for each change, what it says indented below.
 *
 * Owns: the wording and the layout. Texts are cut as they are in events.
 * Does not own: where the text is kept, and reading parts of it.
 */
import { stripVTControlCharacters } from "node:util"
import { excerpt } from "../../services/excerpts.ts"
import type { ContentBlock } from "../../services/Message.ts"
import type { Task } from "../../services/Task.ts"
import type { TaskChange } from "../../services/TaskChange.ts"

// eslint-disable-next-line no-control-regex -- what would move the cursor has no place in plain text
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

const plain = (text: string): string => stripVTControlCharacters(text).replaceAll("\r\n", "\n").replaceAll(controls, "")

const shorten = (text: string): string => {
  const { bytes, head, tail } = excerpt(text)
  return tail === "" ? head : `${head}\n… ${bytes} bytes in all …\n${tail}`
}

const indent = (text: string): string => {
  const trimmed = plain(shorten(text)).trimEnd()
  return trimmed === "" ? "" : `${trimmed.replaceAll(/^(?=.)/gm, "  ")}\n`
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

const short = (commit: string | null): string => commit?.slice(0, 12) ?? "an empty repository"

const textOf = (content: ReadonlyArray<ContentBlock>): string =>
  content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("\n")

/** The line of a change and the text under it; null for changes that a reader does not miss. */
const tell = (change: TaskChange, task: Task): readonly [line: string, text?: string | undefined] | null => {
  switch (change._tag) {
    case "Created":
      return [`created: ${change.draft.title}`, change.draft.prompt]
    case "Queued":
      return [`queued (${change.reason})`]
    case "RunStarted":
      return [`run ${change.run} started (${change.reason})`]
    case "SandboxReady":
      return ["sandbox ready"]
    case "RepositoryReady":
      return [`repository ready: ${short(change.baseCommit)}, branch ${task.branch}`]
    case "MessageAdded": {
      const text = textOf(change.content)
      return text === "" ? null : [change.startsOver ? "conversation summed up" : change.role, text]
    }
    case "MessageQueued":
      return [`message queued (${change.mode})`, change.content]
    case "MessageWithdrawn":
      return ["message withdrawn"]
    case "ToolStarted":
      return [`${change.tool} started (${change.toolCallId})`, JSON.stringify(change.input)]
    case "ToolFinished": {
      const exit = change.exitCode === null ? "" : `, exit code ${change.exitCode}`
      const ending = change.isError ? "failed" : "finished"
      return [`${change.toolCallId} ${ending} in ${seconds(change.durationMs)}${exit}`, change.output]
    }
    case "CheckpointSaved":
      return [`checkpoint ${short(change.commit)}: ${change.files} files, +${change.additions} -${change.deletions}`]
    case "Rewound":
      return [`rewound to checkpoint ${short(change.checkpoint)}`]
    case "QuestionOpened":
      return [`${change.kind}: ${change.title}`, [change.detail, ...change.choices.map((it) => `- ${it}`)].join("\n")]
    case "QuestionClosed":
      return [`${change.outcome}: ${change.answer.decision}`, change.answer.choice ?? change.answer.text]
    case "RetryScheduled":
      return [`attempt ${change.attempt} failed, next in ${seconds(change.delayMs)}`, change.message]
    case "NetworkBlocked":
      return [`network blocked: ${change.host} (${change.reason})`]
    case "DeliveryStarted":
      return ["delivery started"]
    case "CiChanged":
      return [`CI definitions changed: ${change.paths.length}`, change.paths.join("\n")]
    case "BranchPushed":
      return [`pushed ${short(change.commit)} to ${change.branch}`]
    case "PullRequestOpened":
      return [`pull request ${change.pullRequest.number}: ${change.pullRequest.url}`]
    case "PullRequestChanged":
      return [`pull request ${change.pullRequest.number}: ${change.pullRequest.state}`]
    case "Updated":
      return [`changed by the owner: ${Object.keys(change.patch).join(", ")}`]
    case "Waiting":
      return ["waiting for an answer"]
    case "Paused":
      return [`paused (${change.reason})`]
    case "Resumed":
      return ["resumed"]
    case "Completed":
      return ["completed"]
    case "Failed":
      return [`failed (${change.error.code})`, change.error.message]
    case "Cancelled":
      return ["cancelled"]
    case "ResponseCounted":
    case "Worked":
      return null
  }
}

/** What the log gains by a change at a time; `task` is as it was after it. Empty, or whole lines. */
export const renderLog = (change: TaskChange, task: Task, at: string): string => {
  const told = tell(change, task)
  if (told === null) return ""
  const [line, text = ""] = told
  return `${at.slice(0, 19).replace("T", " ")}  ${plain(line).replaceAll("\n", " ")}\n${indent(text)}`
}
