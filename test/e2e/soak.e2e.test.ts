/**
 * Many tasks, while what they depend on keeps breaking down: the server, the engine, the model. A run of all tests takes
 * a few minutes of it; ERRAND_TEST_SOAK=long the whole (`npm run test:soak`).
 */
import { setTimeout as sleep } from "node:timers/promises"
import { expect, it } from "vitest"
import type { Fault } from "../../src/layers/scripted/Script.ts"
import { containersOf } from "../support/containers.ts"
import { describeWithEngine } from "../support/engine.ts"
import { untilIdle } from "../support/invariants.ts"
import { missingForOwnEngine, OwnEngine } from "../support/ownEngine.ts"
import { running, Soak } from "../support/Soak.ts"

const isLong = process.env["ERRAND_TEST_SOAK"] === "long"
const minutes = (count: number) => count * 60_000
const between = (least: number, most: number) => least + Math.random() * (most - least)

const kills = isLong ? 100 : 15
const engineRestarts = isLong ? 10 : 2
const inFlight = isLong ? 30 : 10
const steps = isLong ? 20 : 8

/** All mishaps as often, in an order that nobody knows, for one request of five. */
const makeMishaps = () => {
  const text = { after: 20 }
  const kinds: ReadonlyArray<Fault> = [
    { fault: "http", status: 429 },
    { fault: "http", status: 529 },
    { fault: "http", status: 500 },
    { fault: "cut", ...text },
    { fault: "error_event", ...text },
    { fault: "silence", ...text }
  ]
  const happened = new Map<string, number>()
  let deck: Array<Fault> = []
  const next = (): Fault | undefined => {
    if (Math.random() >= 0.2) return undefined
    if (deck.length === 0) deck = [...kinds]
    const [fault] = deck.splice(Math.floor(Math.random() * deck.length), 1)
    const name = fault === undefined ? "" : "status" in fault ? String(fault.status) : fault.fault
    happened.set(name, (happened.get(name) ?? 0) + 1)
    return fault
  }
  return { next, happened, kinds: kinds.length }
}

describeWithEngine("a hard time", () => {
  it(
    `loses no task when the server is killed ${kills} times`,
    { timeout: minutes(isLong ? 40 : 8) },
    async (context) => {
      const soak = await Soak.prepare({ steps, delayMs: 300 })
      const start = Date.now()
      const { errand } = soak
      try {
        await errand.start()
        await soak.keepInFlight(inFlight)
        const atWork: Array<number> = []
        const killing = async () => {
          for (let kill = 0; kill < kills; kill++) {
            const life = sleep(between(1_000, 8_000))
            await soak.keepInFlight(inFlight)
            await life
            atWork.push(await soak.look())
            await errand.stop("SIGKILL")
            await errand.start()
          }
          return Date.now()
        }
        const lastStart = await soak.observed(killing())
        await soak.finish()
        const finished = Date.now()
        await untilIdle(errand)
        await sleep(Math.max(0, lastStart + 30_000 - Date.now()))
        const left = await containersOf(errand.dataDir)
        const mean = atWork.reduce((sum, count) => sum + count, 0) / kills
        context.annotate(
          `${kills} kills in ${((lastStart - start) / 1_000).toFixed(0)} s with ${mean.toFixed(1)} tasks running; ` +
            `${soak.tasks.length} tasks done ${((finished - lastStart) / 1_000).toFixed(0)} s later; ` +
            `${soak.served} requests; ${left} containers left`
        )
        expect(left).toBe(0)
        expect(await soak.verdict({ mayMiss: kills * running })).toEqual([])
      } finally {
        await soak.dispose()
      }
    }
  )

  it(
    `loses no task when the engine is restarted ${engineRestarts} times`,
    { timeout: minutes(15) },
    async (context) => {
      const missing = missingForOwnEngine()
      if (missing !== "") {
        if (process.env["CI"] === "true") throw new Error(missing)
        context.skip(missing)
      }
      const engine = new OwnEngine()
      try {
        await engine.prepare()
        const soak = await Soak.prepare({
          steps,
          delayMs: 300,
          environment: { DOCKER_HOST: engine.address },
          docker: engine.docker
        })
        try {
          await soak.errand.start()
          const start = Date.now()
          for (let restart = 0; restart < engineRestarts; restart++) {
            await soak.keepInFlight(isLong ? inFlight : running + 2)
            await sleep(between(3_000, 10_000))
            await engine.stop()
            await sleep(between(0, 3_000))
            await engine.start()
          }
          await soak.finish()
          context.annotate(
            `${engineRestarts} restarts and ${soak.tasks.length} tasks in ${((Date.now() - start) / 1_000).toFixed(0)} s`
          )
          // A volume whose container went with the engine is cleared up by the next start.
          await soak.errand.stop()
          await soak.errand.start()
          // A turn that is under way when its sandbox is lost is given up.
          expect(await soak.verdict({ mayMiss: engineRestarts * running })).toEqual([])
        } finally {
          await soak.dispose()
        }
      } finally {
        await engine.dispose()
      }
    }
  )

  it(
    "loses no task and counts each answer once when the model fails at one request of five",
    {
      timeout: minutes(15)
    },
    async (context) => {
      const mishaps = makeMishaps()
      const soak = await Soak.prepare({
        steps,
        delayMs: 0,
        mishap: mishaps.next,
        environment: { ERRAND_MODEL_SILENCE: "2s" }
      })
      try {
        await soak.errand.start()
        const start = Date.now()
        await soak.keepInFlight(inFlight)
        await soak.finish()
        const seconds = ((Date.now() - start) / 1_000).toFixed(0)
        const figures = JSON.stringify(Object.fromEntries(mishaps.happened))
        context.annotate(`${soak.tasks.length} tasks, ${soak.served} requests, ${figures} in ${seconds} s`)
        expect(mishaps.happened.size).toBe(mishaps.kinds)
        expect(await soak.verdict({ mayMiss: 0 })).toEqual([])
      } finally {
        await soak.dispose()
      }
    }
  )
})
