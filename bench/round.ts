/** One round of one side: in a process that was just started, and in one that lives through all rounds. */
import { setTimeout as sleep } from "node:timers/promises"
import type { Model } from "./Model.ts"
import { delaysOf, gapsOf, paceOf, runPhase, stepsPerSecond, turnsOf } from "./phase.ts"
import { peakMb, resetPeak, residentMb } from "./procfs.ts"
import { stepsPrompt, typingPrompt } from "./script.ts"
import { settings } from "./settings.ts"
import type { Side } from "./Side.ts"
import { mean, percentile, sum } from "./statistics.ts"

/** The figures of one side in one round. */
export type Figures = Awaited<ReturnType<typeof runCold>> & Awaited<ReturnType<typeof runWarm>>
export type FigureName = keyof Figures

/** A process that was just started: idle, then its first task. */
export const runCold = async (model: Model, side: Side, name: string) => {
  const { idleMs, steps } = settings
  await sleep(idleMs)
  const idleMb = residentMb(side.pid)
  const first = await runPhase(model, side, `${name}-first`, [stepsPrompt(steps)], steps)
  return {
    idleMb,
    startMs: side.startMs,
    firstGapMs: percentile(gapsOf(first, "run_command", "write_file"), 0.5),
    firstCpuMs: first.cpuMs / steps,
    firstAnswerMs: (turnsOf(first)[0]?.answeredAt ?? Number.NaN) - first.submittedAt
  }
}

/** A process that has worked before, as a server has: one task, a text as it is typed, many tasks at once. */
export const runWarm = async (model: Model, side: Side, name: string) => {
  const { crowd, crowdSteps, steps } = settings
  const task = await runPhase(model, side, `${name}-task`, [stepsPrompt(steps)], steps)
  const typing = await runPhase(model, side, `${name}-typing`, [typingPrompt], 0)
  resetPeak(side.pid)
  const prompts = Array.from({ length: crowd }, () => stepsPrompt(crowdSteps))
  const many = await runPhase(model, side, `${name}-crowd`, prompts, crowdSteps)
  const peak = peakMb(side.pid)

  const turns = turnsOf(task)
  const sizes = turns.map(({ requestBytes }) => requestBytes)
  const gaps = gapsOf(task, "run_command", "write_file")
  const delays = delaysOf(typing)
  return {
    gapMs: percentile(gaps, 0.5),
    gapP90Ms: percentile(gaps, 0.9),
    gapAfterCommandMs: percentile(gapsOf(task, "run_command"), 0.5),
    gapAfterEditMs: percentile(gapsOf(task, "write_file"), 0.5),
    cpuMs: task.cpuMs / steps,
    wholeCpuMs: task.wholeCpuMs / steps,
    containerCpuMs: task.containerCpuMs / steps,
    engineCpuMs: task.engineCpuMs / steps,
    modelCpuMs: task.modelCpuMs / steps,
    taskSeconds: task.seconds,
    crowdStepsPerSecond: stepsPerSecond(many),
    crowdPace: paceOf(many),
    crowdSeconds: many.seconds,
    crowdCpuMs: many.cpuMs / (crowd * crowdSteps),
    peakMb: peak,
    textP50Ms: percentile(delays, 0.5),
    textP99Ms: percentile(delays, 0.99),
    promptBytes: mean(sizes),
    promptGrowth: ((sizes.at(-1) ?? Number.NaN) - (sizes[0] ?? Number.NaN)) / (sizes.length - 1),
    promptTotal: sum(sizes),
    cachedPercent: (sum(turns.map((turn) => turn.cachedTokens)) / sum(turns.map((turn) => turn.promptTokens))) * 100
  }
}
