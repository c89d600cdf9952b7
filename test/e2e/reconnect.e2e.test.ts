/** A long task, clients that come and go, and a server that dies: everybody ends with the events 1..n. */
import { Effect, Exit, Scope } from "effect"
import { setTimeout as sleep } from "node:timers/promises"
import { expect, it } from "vitest"
import { describeWithEngine } from "../support/engine.ts"
import { Errand } from "../support/errand.ts"
import { gitServer } from "../support/gitServer.ts"
import { messagesApi } from "../support/messagesApi.ts"
import { Subscriber } from "../support/subscriber.ts"

const clients = 10
const reconnects = 200
const steps = 240
/** Events of a turn with three calls that read: the answer, its usage, three starts, three ends, the results. */
const eventsPerTurn = 9

const read = { name: "read_file", input: { path: "a.txt" } }

describeWithEngine("reconnecting", () => {
  it("gives every client the events 1..n, over 200 reconnects and three restarts", { timeout: 240_000 }, async () => {
    const scope = Effect.runSync(Scope.make())
    const git = await Effect.runPromise(Scope.extend(gitServer, scope))
    const api = await Effect.runPromise(
      Scope.extend(
        messagesApi({
          script: {
            scenarios: [
              {
                name: "long",
                steps: [
                  {
                    name: "again",
                    text: "Reading.",
                    tools: [read, read, read],
                    delayMs: 40,
                    goto: [{ step: "again", times: steps }]
                  },
                  { text: "Read it all." }
                ]
              }
            ]
          }
        }),
        scope
      )
    )
    const errand = new Errand({
      ANTHROPIC_API_KEY: "sk-test",
      ANTHROPIC_BASE_URL: api.url,
      ERRAND_MODEL: "claude-sonnet-4-5",
      ERRAND_TRUSTED_GIT_HOSTS: git.host
    })
    try {
      await errand.start()
      const { url } = await Effect.runPromise(git.create("long", { "a.txt": "a\n" }))
      const { id } = await errand.submit({
        repository: { url },
        prompt: "Read for long.",
        limits: { maxTurns: 1_000, maxCostUsd: 100 }
      })
      const stream = `task:${id}`
      const subscribers = Array.from({ length: clients }, () => new Subscriber(errand, [stream]))
      const life = { ended: false }

      const comeAndGo = async (subscriber: Subscriber) => {
        while (subscriber.connections <= reconnects / clients || !life.ended) {
          if (await subscriber.connect()) await sleep(Math.random() * 1_500)
          else await sleep(100)
          subscriber.vanish()
        }
      }
      // By what the task has done and not by the clock, so that it is at work at each of them on any machine.
      const restart = async (signal: NodeJS.Signals, part: number) => {
        await errand.until(id, ({ seq }) => seq >= part * steps * eventsPerTurn, 120_000)
        await errand.stop(signal)
        await errand.start()
      }
      const clientsDone = Promise.all(subscribers.map(comeAndGo))
      for (const [index, signal] of (["SIGTERM", "SIGKILL", "SIGTERM"] as const).entries()) {
        await restart(signal, (index + 1 + Math.random() / 2) / 4)
      }
      const task = await errand.final(id, 180_000)
      life.ended = true
      await clientsDone

      expect(task).toMatchObject({ status: "completed" })
      expect(task["run"]["number"]).toBe(4)
      expect(task["seq"]).toBeGreaterThan(2_000)
      for (const subscriber of subscribers) {
        await subscriber.connect()
        expect(await subscriber.reaches(stream, task["seq"], 10_000)).toBe(true)
        subscriber.vanish()
        expect(subscriber.faults).toEqual([])
        expect(subscriber.received).toBe(task["seq"])
      }
      expect(subscribers.reduce((sum, { connections }) => sum + connections, 0)).toBeGreaterThan(reconnects)
      const log = await errand.events(id)
      expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1))
    } finally {
      await errand.dispose()
      await Effect.runPromise(Scope.close(scope, Exit.void))
    }
  })
})
