/** The data directory on a disk that fills up in the middle of the work. */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect, Exit, Scope } from "effect"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, beforeAll, expect, it } from "vitest"
import * as Sqlite from "../../src/layers/Sqlite.ts"
import { describeWithSmallDisk } from "../support/engine.ts"
import { Errand, type Json } from "../support/errand.ts"
import { gitText } from "../support/gitRepository.ts"
import { type GitServer, gitServer } from "../support/gitServer.ts"
import { messagesApi } from "../support/messagesApi.ts"
import { mountSmallDisk, type SmallDisk } from "../support/smallDisk.ts"

const steps = 8

/** Each step leaves a file of 100 kB that nothing compresses. */
const step = (number: number) => ({
  tools: [
    {
      name: "run_command",
      input: { command: `sleep 0.5; head -c 100000 /dev/urandom > file${number}; echo ${number}` }
    }
  ]
})

const first = step(0)
const rest = Array.from({ length: steps - 1 }, (_, index) => step(index + 1))
const scenarios = [{ name: "work", steps: [first, ...rest, { text: "Done." }] }] as const

const pragma = (file: string, name: string) =>
  Effect.flatMap(SqlClient, (sql) => sql.unsafe(`PRAGMA ${name}`)).pipe(
    Effect.provide(Sqlite.layerFile(file)),
    Effect.runPromise
  )

describeWithSmallDisk("a full disk", () => {
  const scope = Effect.runSync(Scope.make())
  let disk: SmallDisk
  let git: GitServer
  let errand: Errand

  beforeAll(async () => {
    disk = mountSmallDisk(64)
    git = await Effect.runPromise(Scope.extend(gitServer, scope))
    const api = await Effect.runPromise(Scope.extend(messagesApi({ script: { scenarios } }), scope))
    errand = new Errand({
      ANTHROPIC_API_KEY: "sk-test",
      ANTHROPIC_BASE_URL: api.url,
      ERRAND_MODEL: "claude-sonnet-4-5",
      ERRAND_TRUSTED_GIT_HOSTS: git.host,
      ERRAND_MAX_RUNNING_PER_USER: "4",
      ERRAND_DATA_DIR: join(disk.path, "data")
    })
    await errand.start()
  })

  afterAll(async () => {
    await errand.dispose()
    disk.unmount()
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })

  const create = async (name: string) => {
    const { path, url } = await Effect.runPromise(git.create(name, { "README.md": "Words.\n" }))
    return { path, request: { repository: { url }, prompt: `Work on ${name}.` } }
  }

  const started = async (name: string) => {
    const { path, request } = await create(name)
    const { branch, id } = await errand.submit(request)
    return { path, branch: String(branch), id: String(id) }
  }

  const saved = async (id: string) =>
    (await errand.events(id)).filter(({ event }) => event.type === "checkpoint.saved").length

  const until = async (wished: () => Promise<boolean>, ms: number) => {
    const start = performance.now()
    while (!(await wished())) {
      if (performance.now() - start > ms) throw new Error(`not in ${ms} ms\n${errand.output.slice(-3000)}`)
      await sleep(50)
    }
    return performance.now() - start
  }

  const isReady = async () => (await errand.call("GET", "/readyz")).status === 200

  /** Everything that was done is there, once, and told without a gap. */
  const expectWhole = async ({ branch, id, path }: { branch: string; id: string; path: string }) => {
    const task = await errand.until(id, ({ status }) => status === "completed" || status === "failed")
    expect(task).toMatchObject({ status: "completed", error: null })
    const files = await Effect.runPromise(gitText(path, ["ls-tree", "--name-only", branch]))
    expect(files.split("\n")).toEqual(["README.md", ...Array.from({ length: steps }, (_, index) => `file${index}`)])
    const events = await errand.events(id)
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
    const of = (type: string) => events.filter(({ event }) => event.type === type).map(({ event }) => event)
    // Nothing was done again: one call for each step, none of them lost.
    expect(of("tool.finished").filter(({ isError }) => isError)).toEqual([])
    expect(of("tool.started")).toHaveLength(steps)
    expect(of("usage.updated")).toHaveLength(steps + 1)
    return of
  }

  it("pauses what runs, refuses what is new, answers all the while, and goes on by itself", async () => {
    const tasks = [await started("one"), await started("two")]
    for (const { id } of tasks) await until(async () => (await saved(id)) >= 2, 30_000)
    disk.fill()
    await until(async () => !(await isReady()), 3_000)
    for (const { id } of tasks) {
      expect(await errand.final(id, 20_000)).toMatchObject({ status: "paused", pausedReason: "disk_full", error: null })
    }
    const { request } = await create("three")
    const refused = await errand.call("POST", "tasks", request, { "idempotency-key": "three" })
    expect([refused.status, refused.body["code"]]).toEqual([507, "storage_full"])
    expect((await errand.call("GET", "/healthz")).status).toBe(200)
    expect((await errand.call("GET", "tasks")).body["items"]).toHaveLength(2)
    expect((await errand.call("GET", `tasks/${tasks[0]?.id}/diff`)).status).toBe(200)

    disk.clear()
    await until(async () => (await errand.task(tasks[0]?.id ?? ""))["status"] !== "paused", 3_000)
    const accepted = await errand.call("POST", "tasks", request, { "idempotency-key": "three" })
    expect(accepted.status).toBe(201)
    for (const task of tasks) {
      const of = await expectWhole(task)
      expect(of("task.paused")).toEqual([{ type: "task.paused", reason: "disk_full" }])
    }
    await errand.until(accepted.body["id"], ({ status }) => status === "completed")
    await until(async () => existsSync(join(disk.path, "data", "ballast")), 5_000)
  })

  it("loses nothing when even the pause can't be written down", async () => {
    const tasks = [await started("four"), await started("five")]
    for (const { id } of tasks) await until(async () => (await saved(id)) >= 2, 30_000)
    const seen: Array<Json> = []
    // Whatever the server gives up is taken at once.
    for (let round = 0; round < 60; round++) {
      disk.fill()
      await sleep(200)
      if (round % 10 === 0) seen.push((await errand.call("GET", `tasks/${tasks[0]?.id}`)).body)
    }
    expect(seen.map(({ status }) => status)).not.toContain("failed")
    expect(seen.at(-1)?.["seq"]).toBe(seen.at(-2)?.["seq"])
    expect((await errand.call("GET", "/healthz")).status).toBe(200)
    disk.clear()
    for (const task of tasks) await expectWhole(task)
  })

  it("does not hurt the database", async () => {
    expect((await errand.stop("SIGTERM")).code).toBe(0)
    const file = join(disk.path, "data", "errand.db")
    expect(await pragma(file, "integrity_check")).toEqual([{ integrity_check: "ok" }])
    expect(await pragma(file, "foreign_key_check")).toEqual([])
  })
})
