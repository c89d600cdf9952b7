/** The queue of the built server over HTTP: who is next, what time does to a task, and what a second server is told. */
import { Effect, Exit, Scope } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Errand, type Json } from "../support/errand.ts"
import { gitServer } from "../support/gitServer.ts"

const slots = 4
const places = 500

const soon = (ms: number) => new Date(Date.now() + ms).toISOString()

describe("the queue", () => {
  const scope = Effect.runSync(Scope.make())
  const directory = mkdtempSync(join(tmpdir(), "errand queue "))
  let newServer: () => Promise<Errand>
  let errand: Errand
  let url: string

  beforeAll(async () => {
    const git = await Effect.runPromise(Scope.extend(gitServer, scope))
    url = (await Effect.runPromise(git.create("any", { "a.txt": "a\n" }))).url
    const script = join(directory, "script.json")
    writeFileSync(
      script,
      JSON.stringify({
        scenarios: [
          {
            name: "hold",
            match: "Hold",
            steps: [{ tools: [{ name: "run_command", input: { command: "sleep 600", timeout_seconds: 600 } }] }]
          },
          { name: "silence", match: "Say nothing", steps: [{ delayMs: 600_000, text: "Too late." }] },
          {
            name: "slow",
            match: "Go slowly",
            steps: [{ name: "again", tools: [{ name: "list_files" }], delayMs: 300, goto: "again" }]
          },
          { name: "quick", steps: [{ text: "Done." }] }
        ]
      })
    )
    const environment = {
      ERRAND_MODEL: "scripted",
      ERRAND_SCRIPT: script,
      ERRAND_SANDBOX: "process",
      ERRAND_ALLOW_UNSANDBOXED: "true",
      ERRAND_TRUSTED_GIT_HOSTS: git.host,
      ERRAND_MAX_RUNNING: String(slots),
      ERRAND_MAX_RUNNING_PER_USER: String(slots)
    }
    newServer = async () => {
      const server = new Errand(environment)
      await server.start()
      return server
    }
    errand = await newServer()
  })

  afterAll(async () => {
    await errand.dispose()
    rmSync(directory, { recursive: true, force: true })
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })

  const submit = (prompt: string, more: Json = {}) =>
    errand.submit({ repository: { url }, prompt, delivery: "none", network: { mode: "open" }, ...more })

  const idsOf = async (status: string): Promise<ReadonlyArray<string>> => {
    const { body } = await errand.call("GET", `tasks?status=${status}&limit=200`)
    return body["items"].map(({ id }: Json) => String(id))
  }

  it("starts nothing before its time, with all slots free", async () => {
    const startAt = soon(1_500)
    const { id } = await submit("Be quick.", { startAt })
    expect(await errand.task(id)).toMatchObject({ status: "queued", startAt, position: 0 })
    const task = await errand.final(id)
    expect(task["status"]).toBe("completed")
    expect(task["startedAt"] >= startAt).toBe(true)
  })

  it("gives the next free slot to a user without one, whatever the priority of 500 that wait", async () => {
    const first = await Promise.all(Array.from({ length: slots }, () => submit("Hold.", { priority: 1000 })))
    for (const { id } of first) await errand.until(id, ({ phase }) => phase === "working")
    for (let n = 0; n < places; n++) await submit("Hold.", { priority: 1000 })

    const alice = errand.token
    errand.token = await errand.makeToken("bob")
    const late = await submit("Be quick.", { priority: -1000 })
    expect(late["position"]).toBe(0)
    const bob = errand.token

    errand.token = alice
    await errand.call("POST", `tasks/${first[0]?.["id"]}/cancel`)
    errand.token = bob
    const done = await errand.final(late["id"])
    expect(done).toMatchObject({ status: "completed", run: { number: 1 } })

    errand.token = alice
    const deadline = Date.now() + 10_000
    while ((await idsOf("running")).length < slots && Date.now() < deadline) await sleep(50)
    const running = await idsOf("running")
    const others = running.filter((id) => !first.some((task) => task["id"] === id))
    expect([running.length, others.length]).toEqual([slots, 1])
    const next = await errand.task(others[0] ?? "")
    expect(next["startedAt"] >= done["finishedAt"], "alice's next task had to wait for bob's").toBe(true)
  })

  it("fails what expires while it waits, and says so in its log", async () => {
    const { id } = await submit("Hold.", { expiresAt: soon(1_500) })
    const task = await errand.final(id, 20_000)
    expect(task).toMatchObject({ status: "failed", position: null, run: null, error: { code: "expired" } })
    const events = (await errand.events(id)).map(({ event }) => event)
    expect(events.map(({ type }) => type)).toEqual(["task.created", "task.failed"])
    expect(events[1]).toMatchObject({ code: "expired", message: task["error"]["message"] })
  })

  it("belongs to one server: a second one on its data directory is refused, and told what to do", async () => {
    const refused = await errand.command("serve").then(
      () => undefined,
      (error: { readonly code: number; readonly stderr: string }) => error
    )
    expect(refused?.code).toBe(1)
    expect(refused?.stderr).toContain("Another Errand server uses the data directory")
    expect(refused?.stderr).toContain(errand.dataDir)
    expect(refused?.stderr).toContain("ERRAND_DATA_DIR")
    expect((await errand.call("GET", "/healthz")).status).toBe(200)
  })

  it("sets a task aside whose server dies three times without a step, and goes on with one that makes steps", async () => {
    await errand.dispose()
    errand = await newServer()
    const [stuck, steady] = [String((await submit("Say nothing."))["id"]), String((await submit("Go slowly."))["id"])]
    for (let life = 1; life <= 3; life++) {
      const { turns } = await errand.task(steady)
      await errand.until(stuck, ({ phase, run }) => phase === "working" && run["number"] === life)
      // With the second answer of this life the tools of the first have ended, which makes it a step done.
      await errand.until(steady, (task) => task["turns"] > turns + 1)
      await errand.stop("SIGKILL")
      await errand.start()
    }
    const task = await errand.final(stuck)
    expect(task).toMatchObject({ status: "failed", run: { number: 3 }, error: { code: "poisoned" } })
    const events = (await errand.events(stuck)).map(({ event }) => event)
    expect(events.filter(({ type }) => type === "run.started").map(({ reason }) => reason)).toEqual([
      "start",
      "recovery",
      "recovery"
    ])
    await errand.until(steady, ({ run }) => run["number"] === 4)
    await errand.call("POST", `tasks/${steady}/cancel`)
  })
})
