/** Limits of money, as users have them: the built server, its HTTP API, a real repository, a model with a price. */
import { Effect } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { Errand, type Json } from "../support/errand.ts"
import { commitFiles, gitText, makeBare } from "../support/gitRepository.ts"

/** Every step costs a cent: 2,000 tokens at five dollars a million. */
const stepUsd = 0.01
const prices = { scripted: { input: 0, output: 5, cacheRead: 0, cacheWrite: 0 } }
const tokens = { input: 100, output: 2_000 }

const write = (index: number, delayMs = 0) => ({
  tools: [{ name: "write_file", input: { path: `step-${index}.txt`, content: `${index}\n` } }],
  tokens,
  delayMs
})

const script = {
  scenarios: [
    { name: "eight", match: "Eight steps", steps: [1, 2, 3, 4, 5, 6, 7].map((index) => write(index)) },
    { name: "slow", match: "Slow steps", steps: [write(1), write(2, 3_000), { text: "Done.", tokens }] },
    { name: "many", match: "Many steps", steps: [{ name: "again", ...write(1, 20), goto: "again" }] }
  ].map(({ steps, ...rest }) => ({ ...rest, steps: [...steps, { text: "Done.", tokens }] }))
}

const tasks = 8
/** As money is told: to a billionth of a dollar. */
const usd = (amount: number) => Math.round(amount * 1e9) / 1e9

const costs = (events: ReadonlyArray<Json>) =>
  events.flatMap(({ event }) => (event.type === "usage.updated" ? [Number(event.costUsd)] : []))

describe("a limit of money", () => {
  let directory: string
  let remote: string
  let errand: Errand

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "errand money "))
    remote = join(directory, "remote.git")
    await Effect.runPromise(Effect.zipRight(makeBare(remote), commitFiles(remote, { "README.md": "Steps.\n" })))
    writeFileSync(join(directory, "script.json"), JSON.stringify(script))
    writeFileSync(join(directory, "prices.json"), JSON.stringify(prices))
    errand = new Errand({
      ERRAND_MODEL: "scripted",
      ERRAND_SCRIPT: join(directory, "script.json"),
      ERRAND_PRICES: join(directory, "prices.json"),
      ERRAND_SANDBOX: "process",
      ERRAND_ALLOW_UNSANDBOXED: "true",
      ERRAND_DEFAULT_NETWORK: "open",
      ERRAND_ALLOW_LOCAL_REPOSITORIES: "true",
      ERRAND_MAX_RUNNING: `${tasks}`,
      ERRAND_MAX_RUNNING_PER_USER: `${tasks}`
    })
    await errand.start()
  })

  afterEach(async () => {
    await errand.dispose()
    rmSync(directory, { recursive: true, force: true })
  })

  const budgets = async (body?: Json) => {
    const { body: answer, status } = await errand.call(body === undefined ? "GET" : "PUT", "budgets", body)
    expect(status).toBe(200)
    return answer
  }

  const spent = async (by = "day") => (await errand.call("GET", `usage?by=${by}`)).body

  it("of five cents is never crossed by steps of one: the task pauses, and the raised limit completes it", async () => {
    const { id } = await errand.submit({
      repository: { url: remote },
      prompt: "Eight steps.",
      limits: { maxCostUsd: 0.05 }
    })
    const paused = await errand.final(id)
    expect(paused).toMatchObject({
      status: "paused",
      pausedReason: "budget_reached",
      pausedBudget: { limit: "task", neededUsd: 0.00512 },
      usage: { costUsd: 0.05 }
    })
    expect(paused["headCommit"]).not.toBe(null)
    expect((await errand.events(id)).at(-1)?.["event"]).toMatchObject({ type: "task.paused", reason: "budget_reached" })

    expect((await errand.call("PATCH", `tasks/${id}`, { limits: { maxCostUsd: 0.2 } })).body["status"]).toBe("queued")
    const done = await errand.until(id, ({ status }) => status === "completed")
    expect(done).toMatchObject({
      usage: { costUsd: 0.08, outputTokens: 16_000 },
      pausedReason: null,
      pausedBudget: null
    })
    expect(costs(await errand.events(id))).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((steps) => usd(steps * stepUsd)))
    const files = await Effect.runPromise(gitText(remote, ["ls-tree", "--name-only", String(done["branch"])]))
    expect(files.split("\n")).toEqual(["README.md", ...[1, 2, 3, 4, 5, 6, 7].map((index) => `step-${index}.txt`)])
    expect(await spent("task")).toMatchObject({ items: [{ key: id, costUsd: 0.08, responses: 8 }] })
  })

  it("for a day holds for eight tasks at once, and raising it lets them all go on", async () => {
    await budgets({ day: { limitUsd: 0.3 } })
    const ids = await Promise.all(
      Array.from({ length: tasks }, async () => {
        const task = await errand.submit({ repository: { url: remote }, prompt: "Many steps." })
        return String(task["id"])
      })
    )
    const watch = { ended: false, most: 0 }
    const watching = (async () => {
      while (!watch.ended) {
        const { day } = await budgets()
        watch.most = Math.max(watch.most, usd(day.spentUsd + day.reservedUsd))
      }
    })()
    const paused = await Promise.all(ids.map((id) => errand.final(id)))
    watch.ended = true
    await watching
    const shown = paused.map(({ error, pausedBudget, status }) => [status, error, pausedBudget?.limit])
    expect(shown).toEqual(paused.map(() => ["paused", null, "day"]))
    expect(watch.most).toBeLessThanOrEqual(0.3)
    const { total } = await spent()
    expect(total.costUsd).toBe(0.3)
    expect((await budgets())["day"]).toMatchObject({ spentUsd: 0.3, reservedUsd: 0 })

    await budgets({ day: { limitUsd: 0.5 } })
    await Promise.all(ids.map((id) => errand.until(id, (task) => task["run"]["number"] === 2)))
    await Promise.all(ids.map((id) => errand.until(id, ({ status }) => status === "paused")))
    expect((await spent())["total"].costUsd).toBe(0.5)
  })

  it("is neither forgotten nor counted twice by a server that is killed between a request and its answer", async () => {
    const limits = { day: { limitUsd: 0.1 }, repositories: [{ url: remote, limitUsd: 0.03, period: "total" }] }
    await budgets(limits)
    const { id } = await errand.submit({ repository: { url: remote }, prompt: "Slow steps." })
    await errand.until(id, ({ usage }) => usage.costUsd === stepUsd)
    while ((await budgets())["day"].reservedUsd === 0);
    expect((await budgets())["day"]).toMatchObject({ spentUsd: stepUsd, reservedUsd: 0.02 })
    await errand.stop("SIGKILL")
    await errand.start()
    expect((await budgets())["day"].spentUsd).toBe(stepUsd)
    const done = await errand.final(id)
    expect(done).toMatchObject({ status: "completed", run: { number: 2 }, usage: { costUsd: 0.03 } })
    expect((await budgets())["day"]).toMatchObject({ spentUsd: 0.03, reservedUsd: 0 })
    expect(await spent("repository")).toMatchObject({ items: [{ key: remote, costUsd: 0.03, responses: 3 }] })
  })
})
