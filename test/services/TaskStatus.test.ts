import { assert, describe, it } from "@effect/vitest"
import { canTransition, isFinal, next, TaskStatus } from "../../src/services/TaskStatus.ts"

const all = TaskStatus.literals

/** Every status that a task in this one can still come to. */
const reachableFrom = (status: TaskStatus): ReadonlyArray<TaskStatus> => {
  const reached = new Set<TaskStatus>()
  const visit = (from: TaskStatus): void => {
    for (const to of next[from].filter((it) => !reached.has(it))) {
      reached.add(to)
      visit(to)
    }
  }
  visit(status)
  return [...reached]
}

const before = (to: TaskStatus) => all.filter((from) => canTransition(from, to))

describe("TaskStatus", () => {
  it("says for every status what may follow it, and nothing follows itself", () => {
    assert.deepStrictEqual(Object.keys(next).toSorted(), [...all].toSorted())
    for (const status of all) {
      assert.isFalse(canTransition(status, status))
      assert.strictEqual(new Set(next[status]).size, next[status].length)
    }
  })

  it("lets a final task only be queued again", () => {
    assert.deepStrictEqual(all.filter(isFinal), ["completed", "failed", "cancelled"])
    for (const status of all.filter(isFinal)) assert.deepStrictEqual(next[status], ["queued"])
  })

  it("can end every task that has not ended, in one step: as failed or cancelled", () => {
    for (const status of all.filter((it) => !isFinal(it))) {
      assert.isTrue(canTransition(status, "failed"))
      assert.isTrue(canTransition(status, "cancelled"))
    }
  })

  it("never leaves a task in a dead end", () => {
    for (const status of all) assert.deepStrictEqual(reachableFrom(status).toSorted(), [...all].toSorted())
  })

  it("completes only what runs, and runs only what was queued or waits", () => {
    assert.deepStrictEqual(before("completed"), ["running"])
    assert.deepStrictEqual(before("running"), ["queued", "waiting"])
    assert.deepStrictEqual(before("waiting"), ["running"])
  })
})
