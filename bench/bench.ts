/**
 * What a step costs with Errand, against a plain loop in the same run: the model's SDK and a pipe into a shell in a
 * container, with no storage, no stream and no checkpoints. Both do the same scripted tasks against the same Messages
 * API on loopback, which has no thinking time. Rounds alternate; figures are medians.
 *
 * `--check` fails when a goal is missed, `--json` prints figures for programs; `settings.ts` has the rest.
 */
import { availableParallelism, loadavg } from "node:os"
import { parseArgs } from "node:util"
import Docker from "dockerode"
import { Effect, Exit, Scope } from "effect"
import { gitServer } from "../test/support/gitServer.ts"
import { closeAll } from "./cleanup.ts"
import { type Remote, startErrand } from "./ErrandServer.ts"
import { startModel } from "./Model.ts"
import { startLoop } from "./PlainLoop.ts"
import { goalsOf, type Rounds, table, toJson, verdict } from "./report.ts"
import { type Figures, runCold, runWarm } from "./round.ts"
import { settings } from "./settings.ts"
import type { Side } from "./Side.ts"

const { values: flags } = parseArgs({
  options: { check: { type: "boolean", default: false }, json: { type: "boolean", default: false } }
})

const say = (words: string) => process.stderr.write(`${words}\n`)

/** A small repository of ordinary size for a package: enough for git to have something to do. */
const files = Object.fromEntries(
  Array.from({ length: 60 }, (_, number) => [
    `src/part${number % 6}/module${number}.js`,
    `${`export const value${number} = ${number}\n`.repeat(40)}`
  ])
)

const startRemote = async (scope: Scope.Scope): Promise<Remote> => {
  const server = await Effect.runPromise(Scope.extend(gitServer, scope))
  const { path, url } = await Effect.runPromise(server.create("benchmark", files))
  return { url, host: server.host, directory: path }
}

const inNewProcess = async <A>(start: () => Promise<Side>, measure: (side: Side) => Promise<A>): Promise<A> => {
  const side = await start()
  try {
    return await measure(side)
  } finally {
    await side.stop()
  }
}

const runAll = async (scope: Scope.Scope): Promise<Rounds> => {
  const model = await startModel()
  const remote = await startRemote(scope)
  const rounds: { loop: Array<Figures>; errand: Array<Figures> } = { loop: [], errand: [] }
  const start = {
    loop: () => startLoop(model.url),
    errand: () => startErrand(model.url, remote)
  }
  const warm = { loop: await start.loop(), errand: await start.errand() }
  for (const side of [warm.loop, warm.errand]) await runWarm(model, side, `warm-up-${side.name}`)
  for (let round = 1; round <= settings.rounds; round++) {
    const order = round % 2 === 1 ? (["loop", "errand"] as const) : (["errand", "loop"] as const)
    for (const name of order) {
      const figures = {
        ...(await inNewProcess(start[name], (side) => runCold(model, side, `${round}-${name}`))),
        ...(await runWarm(model, warm[name], `${round}-${name}`))
      }
      rounds[name].push(figures)
      say(
        `round ${round} of ${settings.rounds}, ${name}: gap ${figures.gapMs.toFixed(2)} ms, ` +
          `CPU ${figures.cpuMs.toFixed(2)} ms a step, ${figures.crowdStepsPerSecond.toFixed(1)} steps a second at once`
      )
    }
  }
  await warm.loop.stop()
  await warm.errand.stop()
  return rounds
}

const inTime = <A>(work: Promise<A>): Promise<A> =>
  Promise.race([
    work,
    new Promise<never>((_, reject) => {
      const fail = (reason: string) => reject(new Error(reason))
      setTimeout(() => fail(`the benchmark took longer than ${settings.runMs / 1000} s`), settings.runMs).unref()
      process.on("SIGINT", () => fail("interrupted"))
      process.on("SIGTERM", () => fail("interrupted"))
    })
  ])

const machine = async () => {
  const engine = (await new Docker().version()).Version
  const load = loadavg().map((value) => value.toFixed(1))
  return `Node ${process.version}, Docker ${engine}, ${availableParallelism()} processors, load ${load.join(" ")}`
}

const scope = await Effect.runPromise(Scope.make())
try {
  say(await machine())
  const rounds = await inTime(runAll(scope))
  const goals = goalsOf(rounds)
  console.log(flags.json ? toJson(rounds) : `\n${table(rounds)}\n\n${verdict(goals)}`)
  say(await machine())
  if (flags.check && goals.some(({ met }) => !met)) process.exitCode = 1
} catch (error) {
  // Whatever else was waited for fails too while everything is being ended: the first failure has been told.
  process.on("unhandledRejection", () => undefined)
  process.on("uncaughtException", () => undefined)
  say(`the benchmark failed: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
} finally {
  await closeAll()
  await Effect.runPromise(Scope.close(scope, Exit.void))
}
process.exit()
