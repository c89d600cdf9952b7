import { assert, describe, it } from "@effect/vitest"
import { renderLog } from "../../src/layers/tasks/renderLog.ts"
import { UserId } from "../../src/services/Ids.ts"
import { begin } from "../../src/services/evolve.ts"
import { TaskChange } from "../../src/services/TaskChange.ts"
import {
  ask,
  close,
  commit,
  count,
  draftOf,
  finishTool,
  newQuestionId,
  say,
  start,
  startTool
} from "../support/someTasks.ts"

const at = "2026-01-31T12:00:00.000Z"
const draft = draftOf(UserId.make(`user_${"0".repeat(26)}`))
const task = begin(draft, at)
const question = newQuestionId()
const render = (...changes: ReadonlyArray<TaskChange>) => changes.map((change) => renderLog(change, task, at)).join("")

describe("renderLog", () => {
  it("tells a task as a person would read it", () => {
    const log = render(
      TaskChange.Created({ draft }),
      start(),
      TaskChange.RepositoryReady({ baseCommit: commit("a") }),
      say("I run the tests.\n\nThen I read."),
      count("r1"),
      startTool("t1"),
      { ...finishTool("t1", "1 failed\n2 passed\n"), isError: true, exitCode: 1 },
      ask(question),
      close(question, "this"),
      TaskChange.CheckpointSaved({ commit: commit("b"), files: 1, additions: 2, deletions: 3 }),
      TaskChange.Worked({ ms: 10 }),
      TaskChange.Failed({ error: { code: "broken", message: "It broke." } })
    )
    assert.strictEqual(
      log.replaceAll("2026-01-31 12:00:00  ", "> "),
      `> created: Fix the failing test
  One test fails; find out why and fix it.
> run 1 started (start)
> repository ready: aaaaaaaaaaaa, branch errand/fix-the-failing-test
> assistant
  I run the tests.

  Then I read.
> run_command started (t1)
  {"command":"npm test"}
> t1 failed in 1.2 s, exit code 1
  1 failed
  2 passed
> question: Which one?
  There are two.
  - this
  - that
> answered: allow
  this
> checkpoint bbbbbbbbbbbb: 1 files, +2 -3
> failed (broken)
  It broke.
`
    )
  })

  it("has nothing in it that would move a cursor, and no line that a text could pass off as its own", () => {
    const log = render(finishTool("t", "\u001b[31mred\u001b[0m\r\n50%\r100%\u0007\n2026-01-31 12:00:00  completed\n"))
    assert.strictEqual(
      log,
      `2026-01-31 12:00:00  t finished in 1.2 s, exit code 0
  red
  50%100%
  2026-01-31 12:00:00  completed
`
    )
  })

  it("cuts long texts", () => {
    const log = render(finishTool("t", "x".repeat(1_000_000)))
    assert.include(log, "… 1000000 bytes in all …")
    assert.isBelow(log.length, 9000)
  })
})
