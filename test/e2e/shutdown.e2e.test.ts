/** An orderly stop in the middle of everything. */
import { Effect, Exit, Scope } from "effect"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, beforeAll, expect, it } from "vitest"
import { containersOf, makeLate, tasksInContainers } from "../support/containers.ts"
import { describeWithEngine } from "../support/engine.ts"
import { EngineProxy } from "../support/engineProxy.ts"
import { Errand, type Json } from "../support/errand.ts"
import { type GitServer, gitServer } from "../support/gitServer.ts"
import { messagesApi } from "../support/messagesApi.ts"

const command = (text: string) => ({ name: "run_command", input: { command: text, timeout_seconds: 700 } })

const scenarios = [
  { name: "ask", match: "ask", steps: [{ tools: [{ name: "ask_user", input: { question: "Well?" } }] }] },
  {
    name: "overloaded",
    match: "overloaded",
    steps: [{ text: "x", faults: [{ fault: "http", status: 529, times: "always" }] }]
  },
  { name: "tool", match: "tool", steps: [{ tools: [command("trap '' TERM; sleep 600")] }] },
  {
    name: "stream",
    match: "stream",
    steps: [{ text: "Once upon a time", faults: [{ fault: "silence", after: 4, times: "always" }] }]
  },
  {
    name: "checkpoint",
    match: "checkpoint",
    steps: [{ tools: [command("head -c 400M /dev/urandom > big")] }, { text: "Done.", delayMs: 600_000 }]
  },
  {
    name: "push",
    match: "push",
    steps: [{ tools: [{ name: "write_file", input: { path: "a.txt", content: "b" } }] }, { text: "Done." }]
  },
  { name: "other", steps: [{ text: "Done." }] }
] as const

const has = (type: string) => (events: ReadonlyArray<Json>) => events.some(({ event }) => event.type === type)

describeWithEngine("SIGTERM", () => {
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
      ERRAND_TRUSTED_GIT_HOSTS: git.host,
      ERRAND_MAX_RUNNING: "8",
      ERRAND_MAX_RUNNING_PER_USER: "8",
      DOCKER_HOST: proxy.address
    })
    await errand.start()
  })

  afterAll(async () => {
    await errand.dispose()
    await proxy.stop()
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })

  const submitted = async (prompt: string): Promise<string> => {
    const { url } = await Effect.runPromise(git.create(prompt, { "a.txt": "a\n" }))
    return String((await errand.submit({ repository: { url }, prompt, limits: { maxCostUsd: 50 } }))["id"])
  }

  const reached = async (id: string, wished: (events: ReadonlyArray<Json>) => boolean) => {
    await errand.until(id, ({ status }) => status === "running" || status === "waiting")
    const deadline = Date.now() + 60_000
    while (!wished(await errand.events(id))) {
      if (Date.now() > deadline) throw new Error(`not reached: ${JSON.stringify(await errand.events(id))}`)
      await sleep(50)
    }
  }

  it("during eight tasks, each at another place, ends in ten seconds and leaves no container", async () => {
    const ids: Array<string> = []
    const place = async (prompt: string, wished: (events: ReadonlyArray<Json>) => boolean) => {
      const id = await submitted(prompt)
      ids.push(id)
      await reached(id, wished)
    }
    await place("ask", has("task.waiting"))
    await place("overloaded", has("retry.scheduled"))
    await place("tool", has("tool.started"))
    await place("stream", has("message.added"))
    await Effect.runPromise(git.fail("push", { _tag: "Silence" }))
    await place("push", has("delivery.started"))
    await Effect.runPromise(git.fail("fetch", { _tag: "Silence" }))
    await place("clone", (events) => has("sandbox.ready")(events) && !has("repository.ready")(events))
    await place("checkpoint", has("tool.finished"))
    proxy.hold = "/containers/create"
    await place("create", has("run.started"))
    while (proxy.held === 0) await sleep(20)
    const late = sleep(1_000).then(() => proxy.release())

    expect(await containersOf(errand.dataDir)).toBe(7)
    expect((await errand.call("GET", "tasks?status=running")).body["items"].length).toBe(7)
    const { code, ms } = await errand.stop("SIGTERM")
    await late
    expect(code).toBe(0)
    expect(ms).toBeLessThan(10_000)
    expect(await containersOf(errand.dataDir)).toBe(0)

    await Effect.runPromise(git.heal)
    await errand.start()
    const [, , , , push, clone, checkpoint, create] = ids
    for (const id of [push, clone, create]) expect(await errand.final(id ?? "")).toMatchObject({ status: "completed" })
    await reached(checkpoint ?? "", (events) => events.filter(({ event }) => event.type === "run.started").length === 2)
  })

  it("is not needed for a container that the engine makes too late: it goes within a minute", async () => {
    await errand.stop("SIGKILL")
    await errand.start()
    await makeLate(errand.dataDir, "of a former life")
    const deadline = Date.now() + 60_000
    while ((await tasksInContainers(errand.dataDir)).includes("of a former life") && Date.now() < deadline) {
      await sleep(200)
    }
    expect(await tasksInContainers(errand.dataDir)).not.toContain("of a former life")
  })
})
