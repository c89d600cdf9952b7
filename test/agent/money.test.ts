/** Limits of money in whole runs, on real storage and real git, with a scripted model that has a price. */
import { describe, expect, it } from "@effect/vitest"
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import type { Fault, ScriptSource } from "../../src/layers/scripted/Script.ts"
import { type Budget, Budgets } from "../../src/services/Budgets.ts"
import { defaultLimits } from "../../src/services/Task.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import { commitFiles, makeBare } from "../support/gitRepository.ts"
import { appLayer, eventsUntil, finished, submit, temporaryDirectory } from "../support/wholeApp.ts"

/** Dollars for a million tokens: ten thousand tokens of an answer cost a tenth of a dollar. */
const prices = { scripted: { input: 1, output: 10, cacheRead: 0.1, cacheWrite: 1.25 } }

const play = Effect.fnUntraced(function* (script: ScriptSource, priced: object = prices) {
  const directory = yield* temporaryDirectory
  const remote = `${directory}/remote.git`
  yield* makeBare(remote)
  yield* commitFiles(remote, { "a.txt": "a\n" })
  writeFileSync(`${directory}/prices.json`, JSON.stringify(priced))
  return {
    remote,
    app: appLayer({ dataDir: `${directory}/data`, script, prices: `${directory}/prices.json`, maxRunning: 8 })
  }
})

const look = { tools: [{ name: "list_files" }] }

const steps = (output: number, faults: ReadonlyArray<Fault> = []): ScriptSource => ({
  scenarios: [
    { name: "again", steps: [{ name: "again", ...look, tokens: { output }, faults: [...faults], goto: "again" }] }
  ]
})

/** Every answer that was counted. */
const counted = Effect.flatMap(
  SqlClient,
  (sql) => sql<{ cost: number; output: number }>`
  SELECT cost_usd AS cost, output_tokens AS output FROM usage ORDER BY at`
)

const total = (rows: ReadonlyArray<{ readonly cost: number }>) => rows.reduce((sum, { cost }) => sum + cost, 0)

describe("the limit of a task", () => {
  it.scopedLive("holds when answers are cut in the middle and asked for again", () =>
    Effect.gen(function* () {
      const cut: Fault = { fault: "cut", after: 2, times: "always" }
      const script: ScriptSource = {
        scenarios: [{ name: "cut", steps: [{ text: "Never whole.", faults: [cut] }] }]
      }
      const { app, remote } = yield* play(script, {
        scripted: { input: 100, output: 10, cacheRead: 10, cacheWrite: 125 }
      })
      const { rows, task } = yield* Effect.gen(function* () {
        const limits = { ...defaultLimits, maxCostUsd: 0.7 }
        const { task } = yield* Effect.flatMap(submit(remote, { limits }), ({ id }) => finished(id))
        return { task, rows: yield* counted }
      }).pipe(Effect.provide(app))
      expect(task).toMatchObject({ status: "paused", pausedReason: "budget_reached", pausedBudget: { limit: "task" } })
      expect(rows.length).toBeGreaterThan(1)
      expect(total(rows)).toBeLessThanOrEqual(0.7)
    })
  )

  it.scopedLive("makes the last answer shorter, never shorter than is useful", () =>
    Effect.gen(function* () {
      const { app, remote } = yield* play(steps(16_384))
      const { rows, task } = yield* Effect.gen(function* () {
        const limits = { ...defaultLimits, maxCostUsd: 0.4 }
        const { task } = yield* Effect.flatMap(submit(remote, { limits }), ({ id }) => finished(id))
        return { task, rows: yield* counted }
      }).pipe(Effect.provide(app))
      expect(task.status).toBe("paused")
      expect(total(rows)).toBeLessThanOrEqual(0.4)
      expect(total(rows)).toBeGreaterThan(0.36)
      expect(rows.slice(0, 2).map(({ output }) => output)).toEqual([16_384, 16_384])
      for (const { output } of rows.slice(2)) {
        expect(output).toBeLessThan(16_384)
        expect(output).toBeGreaterThanOrEqual(1_024)
      }
    })
  )

  it.scopedLive("can't be held without a price, so that the task pauses", () =>
    Effect.gen(function* () {
      const { app, remote } = yield* play(steps(100))
      const { task } = yield* Effect.flatMap(submit(remote, { model: "forgotten" }), ({ id }) => finished(id)).pipe(
        Effect.provide(app)
      )
      expect(task).toMatchObject({ status: "paused", pausedReason: "model_price_unknown", turns: 0 })
    })
  )
})

describe("a budget", () => {
  it.scopedLive("is never overspent by eight tasks at once whose answers get lost now and then", () =>
    Effect.gen(function* () {
      const faults: ReadonlyArray<Fault> = [
        { fault: "http", status: 529, times: 1 },
        { fault: "cut", after: 1, times: 1 }
      ]
      const { app, remote } = yield* play(steps(1_500, faults))
      const day: Budget = { kind: "day", repository: null, period: "day", limitUsd: 0.6 }
      const { ends, rows, status } = yield* Effect.gen(function* () {
        const budgets = yield* Budgets
        const first = yield* submit(remote, { startAt: "2999-01-01T00:00:00.000Z" })
        yield* budgets.set(first.owner, [day])
        const tasks = yield* Effect.forEach(Array.from({ length: 8 }), () => submit(remote))
        const ends = yield* Effect.forEach(tasks, ({ id }) => finished(id), { concurrency: "unbounded" })
        return { ends, rows: yield* counted, status: yield* budgets.of(first.owner) }
      }).pipe(Effect.provide(app))
      for (const { task } of ends) expect(task).toMatchObject({ status: "paused", pausedBudget: { limit: "day" } })
      expect(total(rows)).toBeLessThanOrEqual(0.6)
      expect(total(rows)).toBeGreaterThan(0.5)
      expect(status[0]?.spentUsd).toBeCloseTo(total(rows), 9)
      expect(status[0]?.reservedUsd).toBe(0)
    })
  )

  it.scopedLive("of a repository pauses only the tasks on it, and lets them complete when it is raised", () =>
    Effect.gen(function* () {
      const write = {
        tools: [{ name: "write_file", input: { path: "b.txt", content: "b" } }],
        tokens: { output: 3_000 }
      }
      const { app, remote } = yield* play({ scenarios: [{ name: "main", steps: [write, { text: "Done." }] }] })
      const other = `${remote}-other`
      const { elsewhere, first, last } = yield* Effect.gen(function* () {
        const budgets = yield* Budgets
        const repo = yield* TaskRepo
        const { id, owner } = yield* submit(remote, { startAt: "2999-01-01T00:00:00.000Z" })
        const of = (limitUsd: number): Budget => ({ kind: "repository", repository: remote, period: "month", limitUsd })
        yield* makeBare(other)
        yield* budgets.set(owner, [of(0.04)])
        const elsewhere = yield* Effect.flatMap(submit(other), ({ id }) => finished(id))
        const task = yield* submit(remote)
        const first = yield* finished(task.id)
        yield* budgets.set(owner, [of(1)])
        yield* eventsUntil(task.id, ({ type }) => type === "task.completed")
        expect((yield* repo.get(id)).status).toBe("queued")
        return { elsewhere, first, last: yield* repo.get(task.id) }
      }).pipe(Effect.provide(app))
      expect(elsewhere.task.status).toBe("completed")
      expect(first.task).toMatchObject({ status: "paused", pausedBudget: { limit: "repository" }, turns: 1 })
      expect(first.task.headCommit).not.toBe(null)
      expect(last).toMatchObject({ status: "completed", runNumber: 2 })
    })
  )
})
