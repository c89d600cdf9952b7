import { expect, it } from "vitest"
import { layOut } from "../../src/cli/render/Line.ts"
import { afterEvent, afterPreview, doingNothing, type NowDoing, tellNow } from "../../src/cli/render/nowDoing.ts"
import { MessageId, ToolCallId } from "../../src/services/Ids.ts"
import type { AnyEvent } from "../../src/services/TaskEvent.ts"

const messageId = MessageId.make(`msg_${"1".repeat(26)}`)
const toolCallId = ToolCallId.make("call")
const started: AnyEvent = { type: "tool.started", toolCallId, tool: "run_command", input: { command: "npm test" } }
const finished: AnyEvent = {
  type: "tool.finished",
  toolCallId,
  isError: false,
  exitCode: 0,
  durationMs: 1,
  output: { head: "", tail: "", bytes: 0 }
}

const after = (...events: ReadonlyArray<AnyEvent>): NowDoing =>
  events.reduce((doing, event) => afterEvent(doing, event, 0), doingNothing)

const tell = (doing: NowDoing, at = 0) =>
  tellNow(doing, at).flatMap((line) => layOut(line, { columns: 60, color: false }))

it("says what is being waited for, and how long", () => {
  expect(tell(doingNothing)).toEqual([])
  expect(tell(after({ type: "task.queued", reason: "start" }))).toEqual(["⠋ waiting for a free slot"])
  expect(tell(after({ type: "repository.ready", baseCommit: null, branch: "b" }), 2300)).toEqual([
    "⠸ the model is thinking 2.3 s"
  ])
  expect(tell(after(started), 61_000)).toEqual(["⠋ running 1 min 01 s"])
  expect(tell(after(started, { ...started, toolCallId: ToolCallId.make("other") }))).toEqual(["⠋ 2 tools are running"])
  expect(tell(after(started, finished))).toEqual(["⠋ the model is thinking"])
  expect(tell(after(started, { type: "task.completed" }))).toEqual([])
})

it("shows the model's words where they will stand, and the end of a tool's output under it", () => {
  const thinking = after({ type: "repository.ready", baseCommit: null, branch: "b" })
  const writing = ["I look", " around"].reduce(
    (doing, text) => afterPreview(doing, { item: `${messageId}:0`, text }),
    thinking
  )
  expect(tell(writing)).toEqual(["", "● I look around", "⠋ the model is thinking"])
  const running = afterPreview(after(started), { item: toolCallId, text: "1\n2\n3\n\n4\n5\n6\n\u001b[31m7\n" })
  expect(tell(running)).toEqual(["    3", "    4", "    5", "    6", "    7", "⠋ running"])
})

it("shows nothing twice: what comes late of a whole message or call is left out", () => {
  const said = after(
    { type: "repository.ready", baseCommit: null, branch: "b" },
    { type: "message.added", messageId, role: "assistant", content: [{ type: "text", text: "I look around" }] }
  )
  expect(tell(afterPreview(said, { item: `${messageId}:0`, text: "around" }))).toEqual(["⠋ the model is thinking"])
  const ran = after(started, finished)
  expect(tell(afterPreview(ran, { item: toolCallId, text: "late" }))).toEqual(["⠋ the model is thinking"])
})

it("keeps a bounded part of what is written", () => {
  const doing = Array.from({ length: 1_000 }).reduce<NowDoing>(
    (so) => afterPreview(so, { item: toolCallId, text: "x".repeat(1_000) }),
    after(started)
  )
  expect(doing.text.length).toBeLessThanOrEqual(4_000)
  const many = Array.from({ length: 1_000 }, (_, index) => ToolCallId.make(`call${index}`)).flatMap((id) => [
    { ...started, toolCallId: id },
    { ...finished, toolCallId: id }
  ])
  expect(after(...many).over.length).toBeLessThanOrEqual(64)
})
