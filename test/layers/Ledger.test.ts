import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { type Account, Ledger } from "../../src/layers/budgets/Ledger.ts"
import { resetsAt } from "../../src/layers/budgets/periods.ts"
import { TaskId, UserId } from "../../src/services/Ids.ts"
import { spellings } from "../../src/services/RepositoryUrl.ts"

const owner = UserId.make(`user_${"0".repeat(26)}`)
const taskOf = (index: number) => TaskId.make(`task_${`${index}`.padStart(26, "0")}`)
const repositories = ["https://git.example.com/a", "https://git.example.com/b"]
const day = "2026-03-31"

const cents = (most: number) => FastCheck.integer({ min: 0, max: most }).map((cent) => cent / 100)

const account = FastCheck.record({
  limitUsd: cents(500),
  repository: FastCheck.constantFrom(null, ...repositories)
}).map(({ limitUsd, repository }): Account => ({
  budget: { kind: repository === null ? "user" : "repository", repository, period: "month", limitUsd },
  repositories: repository === null ? null : spellings(repository),
  period: "2026-03",
  spentUsd: 0
}))

/** What one of five tasks does next; `part` is how much of what was set aside its answer costs. */
const step = FastCheck.record({
  task: FastCheck.integer({ min: 0, max: 4 }),
  act: FastCheck.constantFrom("reserve", "reserve", "answer", "release"),
  mostUsd: cents(120).map((usd) => usd + 0.1),
  part: FastCheck.double({ min: 0, max: 1, noNaN: true })
})

describe("the books", () => {
  it.prop(
    "never show more spent and set aside than a budget has, and turn nobody away while there is enough",
    [FastCheck.array(account, { maxLength: 4 }), FastCheck.array(step, { maxLength: 60 })],
    ([accounts, steps]) => {
      const ledger = new Ledger()
      ledger.open(owner, accounts)
      const held = new Map<number, number>()
      const costs = new Map<number, number>()
      for (const { act, mostUsd, part, task } of steps) {
        const taskId = taskOf(task)
        const costUsd = costs.get(task) ?? 0
        const repository = repositories[task % 2] ?? ""
        if (act === "reserve") {
          const applying = ledger
            .statusOf(owner, day)
            .filter((status) => status.repository === null || status.repository === repository)
          const least = Math.min(...applying.map(({ limitUsd, spentUsd }) => limitUsd - spentUsd))
          const request = { owner, repository, taskId, run: 1, costUsd, leastUsd: 0.1, mostUsd }
          const verdict = ledger.reserve(request, () => day)
          held.delete(task)
          if (verdict._tag === "Granted") {
            held.set(task, verdict.usd)
            expect(verdict.usd).toBeCloseTo(Math.min(mostUsd, least), 9)
          }
          expect(verdict._tag === "Reached").toBe(least < 0.1 - 1e-9)
        } else if (act === "answer") {
          const spent = Math.round((held.get(task) ?? 0) * part * 1e9) / 1e9
          if (held.delete(task)) costs.set(task, costUsd + spent)
          ledger.settle(`task:${taskId}`, costUsd + spent, day)
        } else {
          held.delete(task)
          ledger.release(taskId, 1)
        }
        for (const { limitUsd, reservedUsd, spentUsd } of ledger.statusOf(owner, day)) {
          expect(spentUsd + reservedUsd).toBeLessThanOrEqual(limitUsd + 1e-8)
        }
      }
      const all = [...costs.values()].reduce((sum, cost) => sum + cost, 0)
      for (const { repository, spentUsd } of ledger.statusOf(owner, day)) {
        if (repository === null) expect(spentUsd).toBeCloseTo(all, 7)
      }
    }
  )

  it("count an answer from before midnight, stored after it, to the day that is over", () => {
    const ledger = new Ledger()
    const budget = { kind: "day", repository: null, period: "day", limitUsd: 1 } as const
    ledger.open(owner, [{ budget, repositories: null, period: day, spentUsd: 0.5 }])
    const request = { owner, repository: "", run: 1, costUsd: 0, leastUsd: 0.1, mostUsd: 0.4 }
    ledger.reserve({ ...request, taskId: taskOf(1) }, () => day)
    ledger.reserve({ ...request, taskId: taskOf(2) }, () => "2026-04-01")
    ledger.settle(`task:${taskOf(1)}`, 0.4, day)
    ledger.settle(`task:${taskOf(2)}`, 0.3, "2026-04-01")
    expect(ledger.statusOf(owner, "2026-04-01")).toMatchObject([{ spentUsd: 0.3, reservedUsd: 0 }])
  })
})

describe("periods", () => {
  it("end with the day and the month of UTC", () => {
    expect([resetsAt("day", "2028-02-28"), resetsAt("day", "2026-12-31")]).toEqual([
      "2028-02-29T00:00:00.000Z",
      "2027-01-01T00:00:00.000Z"
    ])
    expect([resetsAt("month", "2026-01-31"), resetsAt("month", "2026-12-01"), resetsAt("total", day)]).toEqual([
      "2026-02-01T00:00:00.000Z",
      "2027-01-01T00:00:00.000Z",
      null
    ])
  })
})
