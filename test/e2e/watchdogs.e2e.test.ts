/** What hangs is noticed in the time that `docs/limits.md` states, and ends as it says. The disk has a test of its own. */
import { Effect, Exit, Scope } from "effect"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, beforeAll, expect, it } from "vitest"
import { containersOf } from "../support/containers.ts"
import { describeWithEngine } from "../support/engine.ts"
import { EngineProxy } from "../support/engineProxy.ts"
import { Errand, type Json } from "../support/errand.ts"
import { type GitServer, gitServer } from "../support/gitServer.ts"
import { messagesApi } from "../support/messagesApi.ts"

const command = (text: string) => ({ name: "run_command", input: { command: text, timeout_seconds: 700 } }) as const

const scenarios = [
  {
    name: "model",
    match: "model",
    steps: [{ text: "Once upon a time", faults: [{ fault: "silence", after: 4 }] }]
  },
  {
    name: "command",
    match: "command",
    steps: [
      { tools: [command("echo begun; (sleep 77 &) ; sleep 77")] },
      { tools: [command("cat /proc/[0-9]*/comm | grep -c sleep")] },
      { text: "Done." }
    ]
  },
  { name: "engine", match: "engine", steps: [{ tools: [command("while sleep 1; do echo; done")] }, { text: "Done." }] }
] as const

const silence = 2_000

const timeOf = (logged: Json | undefined) => Date.parse(String(logged?.["at"]))

describeWithEngine("watchdogs", () => {
  const scope = Effect.runSync(Scope.make())
  const proxy = new EngineProxy()
  let git: GitServer
  let errand: Errand

  beforeAll(async () => {
    git = await Effect.runPromise(Scope.extend(gitServer, scope))
    const api = await Effect.runPromise(Scope.extend(messagesApi({ script: { scenarios } }), scope))
    await proxy.start()
    errand = new Errand({
      ANTHROPIC_API_KEY: "sk-test",
      ANTHROPIC_BASE_URL: api.url,
      ERRAND_MODEL: "claude-sonnet-4-5",
      ERRAND_MODEL_SILENCE: "2s",
      ERRAND_COMMAND_SILENCE: "2s",
      ERRAND_TRUSTED_GIT_HOSTS: git.host,
      DOCKER_HOST: proxy.address
    })
    await errand.start()
  })

  afterAll(async () => {
    proxy.release()
    await errand.dispose()
    await proxy.stop()
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })

  const submitted = async (prompt: string): Promise<string> => {
    const { url } = await Effect.runPromise(git.create(prompt, { "a.txt": "a\n" }))
    return String((await errand.submit({ repository: { url }, prompt }))["id"])
  }

  const completed = async (id: string): Promise<ReadonlyArray<Json>> => {
    expect(await errand.final(id)).toMatchObject({ status: "completed", error: null })
    return await errand.events(id)
  }

  /** Waits for an event, and gives it with when it happened. */
  const happened = async (id: string, isIt: (event: Json) => boolean, ms: number): Promise<Json> => {
    const deadline = Date.now() + ms
    while (Date.now() < deadline) {
      const found = (await errand.events(id)).find(({ event }) => isIt(event))
      if (found !== undefined) return found
      await sleep(100)
    }
    throw new Error(`not in ${ms} ms: ${JSON.stringify((await errand.events(id)).slice(-4))}`)
  }

  it("ask a model again that has fallen silent", async () => {
    const events = await completed(await submitted("model"))
    const index = events.findIndex(({ event }) => event.type === "retry.scheduled")
    expect(events[index]?.["event"].code).toBe("model_stream_silent")
    const asked = events.slice(0, index).findLast(({ event }) => event.type === "message.added")
    const waited = timeOf(events[index]) - timeOf(asked)
    expect(waited).toBeGreaterThanOrEqual(silence)
    expect(waited).toBeLessThan(silence + 1_000)
  })

  it("kill a command that has fallen silent, with all it started, and say so to the model", async () => {
    const id = await submitted("command")
    const events = await completed(id)
    const [first, second] = events.filter(({ event }) => event.type === "tool.finished").map(({ event }) => event)
    expect(first).toMatchObject({ isError: true, exitCode: 124 })
    expect(first?.["output"].head).toMatch(/^begun\n\[killed after 2 s: it had written nothing/)
    expect(first?.["durationMs"]).toBeGreaterThanOrEqual(silence)
    expect(first?.["durationMs"]).toBeLessThan(silence + 1_000)
    expect(second?.["output"].head).toMatch(/^0\n/)
    const { items } = (await errand.call("GET", `tasks/${id}/messages`)).body
    expect(JSON.stringify(items)).toContain("make it tell its progress")
  })

  it("give up a sandbox whose engine hangs, and go on when there is one again", async () => {
    const id = await submitted("engine")
    await happened(id, ({ type }) => type === "tool.started", 30_000)
    const hung = Date.now()
    proxy.hung = true
    const queued = await happened(id, ({ reason, type }) => type === "task.queued" && reason === "recovery", 60_000)
    expect(timeOf(queued) - hung).toBeLessThan(50_000)
    expect((await errand.call("GET", "/readyz")).body["checks"].sandbox.ready).toBe(false)
    // Its next run may have been leased already: it waits for a sandbox.
    expect(["queued", "running"]).toContain((await errand.task(id))["status"])
    proxy.release()
    const events = await completed(id)
    expect(events.filter(({ event }) => event.type === "run.started").map(({ event }) => event.reason)).toEqual([
      "start",
      "recovery"
    ])
    const deadline = Date.now() + 15_000
    while ((await containersOf(errand.dataDir)) > 0 && Date.now() < deadline) await sleep(200)
    expect(await containersOf(errand.dataDir)).toBe(0)
  })
})
