/** Many eyes on a busy server: eight tasks, a hundred subscribers, one of them asleep. */
import { Effect, Exit, Scope } from "effect"
import { readFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { expect, it } from "vitest"
import { describeWithEngine } from "../support/engine.ts"
import { Errand } from "../support/errand.ts"
import { gitServer } from "../support/gitServer.ts"
import { messagesApi } from "../support/messagesApi.ts"
import { Subscriber } from "../support/subscriber.ts"

const tasks = 8
const subscribers = 100
/** Long enough to see; a minute, and the figures that the test prints, say what a server of this size bears. */
const seconds = Number(process.env["ERRAND_FAN_OUT_SECONDS"] ?? "10")
/** Events of a turn with four calls that read: the answer, its usage, four starts, four ends, the results. */
const eventsPerTurn = 11
const wantedRate = 200
const turnMs = (1_000 * tasks * eventsPerTurn) / (wantedRate * 1.15)

const residentMb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024

const mean = (values: ReadonlyArray<number>) => values.reduce((sum, value) => sum + value, 0) / values.length

const read = { name: "read_file", input: { path: "a.txt" } }

describeWithEngine("fan-out", () => {
  it(
    "gives every event of eight busy tasks to 99 subscribers, whatever the hundredth does",
    { timeout: 240_000 },
    async (context) => {
      const scope = Effect.runSync(Scope.make())
      const git = await Effect.runPromise(Scope.extend(gitServer, scope))
      const step = { name: "again", text: "Reading.", tools: [read, read, read, read], goto: "again" }
      const script = { scenarios: [{ name: "busy", steps: [{ ...step, delayMs: Math.round(turnMs * 0.9) }] }] } as const
      const api = await Effect.runPromise(Scope.extend(messagesApi({ script, keepBodies: false }), scope))
      const errand = new Errand({
        ANTHROPIC_API_KEY: "sk-test",
        ANTHROPIC_BASE_URL: api.url,
        ERRAND_MODEL: "claude-sonnet-4-5",
        ERRAND_TRUSTED_GIT_HOSTS: git.host,
        ERRAND_MAX_RUNNING: String(tasks),
        ERRAND_MAX_RUNNING_PER_USER: String(tasks)
      })
      try {
        await errand.start()
        const { url } = await Effect.runPromise(git.create("busy", { "a.txt": "a\n" }))
        const submit = () =>
          errand.submit({ repository: { url }, prompt: "Read.", limits: { maxTurns: 9_000, maxCostUsd: 9_999 } })
        const ids = (await Promise.all(Array.from({ length: tasks }, submit))).map(({ id }) => String(id))
        const streams = ids.map((id) => `task:${id}`)
        const awake = Array.from({ length: subscribers - 1 }, () => new Subscriber(errand, streams))
        const asleep = new Subscriber(errand, streams)
        await Promise.all([...awake, asleep].map((subscriber) => subscriber.connect()))
        asleep.stopReading()
        for (const id of ids) await errand.until(id, ({ seq }) => seq > 30)
        await sleep(seconds * 200)

        const start = performance.now()
        const before = awake[0]?.received ?? 0
        const memory: Array<number> = []
        while (performance.now() - start < seconds * 1_000) {
          memory.push(residentMb(errand.pid))
          await sleep(500)
        }
        const rate = ((awake[0]?.received ?? 0) - before) / ((performance.now() - start) / 1_000)
        const halves = [memory.slice(0, memory.length / 2), memory.slice(memory.length / 2)].map(mean)
        const [first = 0, second = 0] = halves
        context.annotate(`${rate.toFixed(0)} events/s, ${first.toFixed(0)} MB, then ${second.toFixed(0)} MB`)

        for (const id of ids) await errand.call("POST", `tasks/${id}/cancel`)
        for (const [index, id] of ids.entries()) {
          const { seq } = await errand.task(id)
          for (const subscriber of awake) {
            expect(await subscriber.reaches(streams[index] ?? "", seq, 10_000)).toBe(true)
          }
        }
        for (const subscriber of awake) {
          expect(subscriber.faults).toEqual([])
          subscriber.vanish()
        }
        asleep.vanish()
      } finally {
        await errand.dispose()
        await Effect.runPromise(Scope.close(scope, Exit.void))
      }
    }
  )
})
