/** Schedules on the built server: one task for each slot, whatever kills the server. */
import { Effect, Exit, Scope } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Errand, type Json } from "../support/errand.ts"
import { gitServer } from "../support/gitServer.ts"

const minute = 60_000
const schedules = 20

describe("schedules", () => {
  const scope = Effect.runSync(Scope.make())
  const directory = mkdtempSync(join(tmpdir(), "errand schedules "))
  let errand: Errand
  let url: string

  beforeAll(async () => {
    const git = await Effect.runPromise(Scope.extend(gitServer, scope))
    url = (await Effect.runPromise(git.create("any", { "a.txt": "a\n" }))).url
    const script = join(directory, "script.json")
    writeFileSync(script, JSON.stringify({ scenarios: [{ name: "quick", steps: [{ text: "Done." }] }] }))
    errand = new Errand({
      ERRAND_MODEL: "scripted",
      ERRAND_SCRIPT: script,
      ERRAND_SANDBOX: "process",
      ERRAND_ALLOW_UNSANDBOXED: "true",
      ERRAND_TRUSTED_GIT_HOSTS: git.host,
      ERRAND_MAX_RUNNING: "2",
      ERRAND_MAX_RUNNING_PER_USER: "2"
    })
    await errand.start()
  })

  afterAll(async () => {
    await errand.dispose()
    rmSync(directory, { recursive: true, force: true })
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })

  const itemsOf = async (path: string): Promise<ReadonlyArray<Json>> =>
    (await errand.call("GET", `${path}${path.includes("?") ? "&" : "?"}limit=200`)).body["items"]

  it("make one task at each slot while the server is killed around it", { timeout: 240_000 }, async () => {
    const body = {
      cron: "* * * * *",
      task: { repository: { url }, prompt: "Be quick.", delivery: "none", network: { mode: "open" } },
      overlap: "allow",
      catchUp: "all"
    }
    const ids: Array<string> = []
    for (let n = 0; n < schedules; n++) {
      const made = await errand.call("POST", "schedules", body)
      expect(made.status).toBe(201)
      ids.push(String(made.body["id"]))
    }
    const first = Math.min(
      ...(await Promise.all(
        ids.map(async (id) => Date.parse((await errand.call("GET", `schedules/${id}`)).body["nextRunAt"]))
      ))
    )
    // Killed again and again in the seconds after the slot, in the middle of settling twenty schedules.
    await sleep(Math.max(0, first - Date.now()))
    for (let kill = 0; kill < 12; kill++) {
      await sleep(Math.random() * 40)
      await errand.stop("SIGKILL")
      await errand.start()
    }
    const second = first + minute
    await sleep(Math.max(0, second - Date.now()))
    await sleep(20)
    await errand.stop("SIGKILL")
    await errand.start()

    for (const id of ids) {
      const deadline = Date.now() + 20_000
      const slots = async () => (await itemsOf(`schedules/${id}/runs`)).filter(({ slot }) => Date.parse(slot) <= second)
      while ((await slots()).length < (second - first) / minute && Date.now() < deadline) await sleep(100)
      const runs = (await slots()).filter(({ slot }) => Date.parse(slot) >= first)
      const times = runs.map(({ slot }) => Date.parse(slot)).toSorted((a, b) => a - b)
      expect(new Set(times).size).toBe(times.length)
      expect(times).toContain(second)
      expect(runs.every(({ status }) => status === "started")).toBe(true)
      const made = (await itemsOf(`tasks?schedule=${id}`)).filter(
        ({ createdAt }) => Date.parse(createdAt) < second + minute
      )
      expect(made.map((task) => task["id"]).toSorted()).toEqual(runs.map(({ taskId }) => taskId).toSorted())
      for (const task of made) {
        const [created, ...others] = (await errand.events(task["id"])).map(({ event }) => event["type"])
        expect(created).toBe("task.created")
        expect(others).not.toContain("task.created")
      }
    }

    const [kept, ...rest] = ids
    for (const id of rest) expect((await errand.call("DELETE", `schedules/${id}`)).status).toBe(204)
    const paused = await errand.call("PATCH", `schedules/${kept}`, { enabled: false })
    expect(paused.body).toMatchObject({ enabled: false, nextRunAt: null })
    const [task] = await itemsOf(`tasks?schedule=${rest[0]}`)
    expect(await errand.final(String(task?.["id"]), 60_000)).toMatchObject({ status: "completed", scheduleId: rest[0] })
  })
})
