import { expect, it } from "vitest"
import { layOut } from "../../src/cli/render/Line.ts"
import { noStory, type Story, tellEvent } from "../../src/cli/render/tellEvent.ts"
import { CommitId, MessageId, QuestionId, ToolCallId } from "../../src/services/Ids.ts"
import type { AnyEvent } from "../../src/services/TaskEvent.ts"

const commit = (digit: string) => CommitId.make(digit.repeat(40))
const call = (name: string) => ToolCallId.make(name)
const messageId = MessageId.make(`msg_${"1".repeat(26)}`)
const says = (text: string): AnyEvent => ({
  type: "message.added",
  messageId,
  role: "assistant",
  content: [{ type: "text", text }]
})
const starts = (id: string, tool: string, input: unknown): AnyEvent => ({
  type: "tool.started",
  toolCallId: call(id),
  tool,
  input
})
const finishes = (id: string, output: string, exitCode?: number, isError = (exitCode ?? 0) !== 0): AnyEvent => ({
  type: "tool.finished",
  toolCallId: call(id),
  isError,
  ...(exitCode === undefined ? {} : { exitCode }),
  durationMs: 1234,
  output: { head: output, tail: "", bytes: output.length }
})

/** One event each half second, in a file's layout. */
const tell = (...events: ReadonlyArray<AnyEvent>): ReadonlyArray<string> => {
  let story: Story = noStory
  return events.flatMap((event, index) => {
    const at = new Date(Date.UTC(2026, 0, 1) + index * 500).toISOString()
    const [next, lines] = tellEvent(story, { at, event })
    story = next
    return lines.flatMap((line) => layOut(line, { columns: undefined, color: false }))
  })
}

it("tells a task from its creation to its end", () => {
  const told = tell(
    { type: "task.created", title: "Fix it", prompt: "Fix it.", repository: { url: "https://h.example/r", ref: null } },
    { type: "task.queued", reason: "start" },
    { type: "run.started", run: 1, reason: "start" },
    { type: "sandbox.ready" },
    { type: "repository.ready", baseCommit: commit("a"), branch: "errand/fix-it-1" },
    { type: "message.added", messageId, role: "user", content: [{ type: "text", text: "Repository: …" }] },
    says("I look.\nThen I act."),
    starts("1", "run_command", { command: "npm test" }),
    finishes("1", "1 failed\n[exit code 1]", 1),
    starts("2", "edit_file", { path: "a.js", old_text: "1\n", new_text: "2\n3\n" }),
    finishes("2", "Replaced one place in a.js."),
    { type: "checkpoint.saved", commit: commit("b"), files: 1, additions: 2, deletions: 1 },
    {
      type: "usage.updated",
      inputTokens: 1000,
      outputTokens: 200,
      cacheReadTokens: 34,
      cacheWriteTokens: 0,
      costUsd: 0.0042
    },
    says("Done."),
    { type: "delivery.started" },
    { type: "ci.changed", paths: [".github/workflows/check.yml"] },
    { type: "branch.pushed", branch: "errand/fix-it-1", commit: commit("c") },
    { type: "task.completed" }
  )
  expect(told).toEqual([
    "Fix it",
    "https://h.example/r",
    "queued",
    "sandbox ready",
    "cloned at aaaaaaaaaa, branch errand/fix-it-1",
    "",
    "● I look.",
    "  Then I act.",
    "  $ npm test",
    "    1 failed",
    "    exit 1 in 1.2 s",
    "  edit a.js",
    "    - 1",
    "    + 2",
    "    + 3",
    "    saved 1 file +2 -1 (bbbbbbbbbb)",
    "",
    "● Done.",
    "delivering",
    "! changes CI definitions: .github/workflows/check.yml",
    "pushed errand/fix-it-1 cccccccccc",
    "completed 7.5 s · 2 turns · 1,234 tokens · $0.0042"
  ])
})

it("names the tool again when another one stands in between", () => {
  expect(
    tell(
      starts("1", "run_command", { command: "sleep 1" }),
      starts("2", "run_command", { command: "sleep 2" }),
      finishes("1", "one", 0),
      finishes("2", "two", 0)
    )
  ).toEqual([
    "  $ sleep 1",
    "  $ sleep 2",
    "  $ sleep 1",
    "    one",
    "    exit 0 in 1.2 s",
    "  $ sleep 2",
    "    two",
    "    exit 0 in 1.2 s"
  ])
})

it("shows both ends of what failed, the end of what worked, and nothing of what was read", () => {
  const output = Array.from({ length: 100 }, (_, index) => `line ${index + 1}`).join("\n")
  const failed = tell(starts("1", "run_command", { command: "x" }), finishes("1", output, 2))
  expect(failed.slice(1, 3)).toEqual(["    line 1", "    line 2"])
  expect(failed.slice(-2)).toEqual(["    line 100", "    exit 2 in 1.2 s"])
  expect(failed).toContain("    … 791 B in all")
  expect(failed.length).toBeLessThan(20)
  const worked = tell(starts("1", "run_command", { command: "x" }), finishes("1", output, 0))
  expect(worked[1]).toBe("    … 791 B in all")
  expect(worked.length).toBe(9)
  expect(tell(starts("1", "read_file", { path: "a", offset: 3, limit: 4 }), finishes("1", output))).toEqual([
    "  read a lines 3 to 6"
  ])
})

it("tells of the part that is missing in the middle of an event", () => {
  const told = tell(starts("1", "run_command", { command: "x" }), {
    type: "tool.finished",
    toolCallId: call("1"),
    isError: false,
    exitCode: 0,
    durationMs: 1,
    output: { head: "first", tail: "…cut\nlast", bytes: 1_234_567 }
  })
  expect(told).toEqual(["  $ x", "    … 1.2 MB in all", "    …cut", "    last", "    exit 0 in 1 ms"])
})

it("tells what went wrong, and what to do", () => {
  expect(
    tell(
      { type: "retry.scheduled", code: "model_unavailable", message: "Overloaded", attempt: 1, delayMs: 4000 },
      { type: "network.blocked", host: "evil.example", reason: "not allowed" },
      { type: "task.queued", reason: "recovery" },
      { type: "run.started", run: 2, reason: "recovery" },
      { type: "task.paused", reason: "budget_reached", budget: { limit: "task", neededUsd: 0.2 } },
      { type: "task.paused", reason: "something_new" },
      finishes("unknown", "no such tool", undefined, true),
      { type: "task.failed", code: "clone_failed", message: "No repository." },
      { type: "task.cancelled" }
    )
  ).toEqual([
    "! Overloaded (model_unavailable, again in 4.0 s)",
    "! evil.example is blocked: not allowed",
    "queued again: the server stopped in the middle of it",
    "run 2",
    "paused: its limit of money is reached. Raise limits.maxCostUsd of the task to go on.",
    "paused: something_new",
    "    no such tool",
    "    failed in 1.2 s",
    "failed: No repository. (clone_failed)",
    "2.0 s · 0 turns · 0 tokens · $0.00",
    "cancelled 2.5 s · 0 turns · 0 tokens · $0.00"
  ])
})

it("tells of a question what is needed to answer it", () => {
  const questionId = QuestionId.make(`question_${"1".repeat(26)}`)
  expect(
    tell(
      {
        type: "question.opened",
        questionId,
        revision: 1,
        kind: "question",
        title: "Red or blue?",
        detail: "It matters.",
        choices: ["red", "blue"],
        expiresAt: "2026-01-02T00:00:00.000Z",
        default: { decision: "allow", choice: "red" }
      },
      {
        type: "question.closed",
        questionId,
        revision: 2,
        outcome: "answered",
        answer: { decision: "allow", choice: "blue", text: "of course" }
      }
    )
  ).toEqual([
    "? Red or blue?",
    "  It matters.",
    "  - red",
    "  - blue",
    "  until 2026-01-02T00:00:00.000Z, then: allow: red",
    `  answer it with POST /api/v1/questions/${questionId}/answer, revision 1`,
    "  answered: allow: blue: of course"
  ])
})

it("lets nobody who writes for the agent reach the terminal", () => {
  const hostile = "\u001b[2J\u001b]0;owned\u0007\u202eevil\r\nsecond\u009b31m"
  const told = tell(
    { type: "task.created", title: hostile, prompt: hostile, repository: { url: hostile, ref: null } },
    { type: "repository.ready", baseCommit: null, branch: hostile },
    says(hostile),
    starts("1", "run_command", { command: hostile }),
    finishes("1", hostile, 1),
    starts("2", hostile, { [hostile]: hostile }),
    finishes("2", hostile, undefined, true),
    starts("3", "edit_file", { path: hostile, old_text: hostile, new_text: hostile }),
    finishes("3", hostile),
    { type: "message.queued", messageId, mode: "steer", text: hostile },
    { type: "retry.scheduled", code: hostile, message: hostile, attempt: 1, delayMs: 1 },
    { type: "network.blocked", host: hostile, reason: hostile },
    { type: "branch.pushed", branch: hostile, commit: commit("c") },
    { type: "pull_request.opened", url: hostile, number: 1 },
    { type: "task.paused", reason: hostile },
    { type: "task.failed", code: hostile, message: hostile }
  )
  expect(told.length).toBeGreaterThan(20)
  for (const line of told) expect(line).not.toMatch(/[\p{Cc}\u202e]/u)
})

it("bears whatever a model takes for the input of a tool", () => {
  for (const input of [null, undefined, 1, "x", [], { command: 7 }, { path: null }, { omittedBytes: 9 }]) {
    for (const tool of [
      "run_command",
      "read_file",
      "write_file",
      "edit_file",
      "list_files",
      "search_files",
      "ask_user",
      "x"
    ]) {
      expect(tell(starts("1", tool, input), finishes("1", "ok")).length).toBeGreaterThan(0)
    }
  }
})
