/** One phase of a round: some tasks at once, from handing them over to their end, and what that took. */
import { now } from "./clock.ts"
import { containerCpuMs } from "./containers.ts"
import { type Conversation, conversationMark, type Turn, type Written } from "./conversations.ts"
import type { Model } from "./Model.ts"
import { cpuMs, engineProcesses } from "./procfs.ts"
import type { Job, Side } from "./Side.ts"
import { sum } from "./statistics.ts"

export interface Phase {
  readonly conversations: ReadonlyArray<Conversation>
  readonly received: ReadonlyArray<ReadonlyArray<Written>>
  readonly submittedAt: number
  readonly seconds: number
  /** Milliseconds of processor time from the first request to the last answer. */
  readonly cpuMs: number
  readonly engineCpuMs: number
  /** Of the containers in all their life. */
  readonly containerCpuMs: number
  readonly modelCpuMs: number
  /** The same of the side itself, from before the tasks were handed over until they were done. */
  readonly wholeCpuMs: number
}

const engine = engineProcesses()

export const runPhase = async (
  model: Model,
  side: Side,
  name: string,
  prompts: ReadonlyArray<string>,
  steps: number
): Promise<Phase> => {
  const names = prompts.map((_, index) => `${name}-${index}`)
  const jobs: ReadonlyArray<Job> = prompts.map((prompt, index) => ({
    prompt: `${conversationMark(names[index] ?? "")} ${prompt}`,
    steps
  }))
  const used = () => ({ own: cpuMs(side.pid), engine: sum(engine.map(cpuMs)), model: cpuMs(model.pid) })
  const { begun, ended, report } = model.expect({ expect: names, steps })
  const submittedAt = now()
  const before = used()
  const atEnd = ended.then(used)
  const inContainers = atEnd.then(() => containerCpuMs(side.labels()))
  const [outcome, first, last, containers] = await Promise.all([
    side.doTasks(jobs, inContainers),
    begun.then(used),
    atEnd,
    inContainers
  ])
  const phase = {
    received: outcome.received,
    submittedAt,
    seconds: (now() - submittedAt) / 1000,
    cpuMs: last.own - first.own,
    engineCpuMs: engine.length === 0 ? Number.NaN : last.engine - first.engine,
    containerCpuMs: containers,
    modelCpuMs: last.model - first.model,
    wholeCpuMs: cpuMs(side.pid) - before.own
  }
  await outcome.check()
  return { ...phase, conversations: await report }
}

/** Milliseconds from the end of an answer that calls one of the tools to the request with the result. */
export const gapsOf = ({ conversations }: Phase, ...tools: ReadonlyArray<string>): ReadonlyArray<number> =>
  conversations.flatMap(({ turns }) =>
    turns.slice(1).flatMap((turn, index) => {
      const before = turns[index]
      return before?.tool !== undefined && tools.includes(before.tool) ? [turn.arrivedAt - before.answeredAt] : []
    })
  )

/** Milliseconds that each piece of a text was on its way to its reader. */
export const delaysOf = ({ conversations, received }: Phase): ReadonlyArray<number> =>
  conversations.flatMap(({ written }, index) =>
    written.flatMap(({ at, characters }) => {
      const read = received[index]?.find((piece) => piece.characters >= characters)
      return read === undefined ? [] : [read.at - at]
    })
  )

export const turnsOf = ({ conversations }: Phase): ReadonlyArray<Turn> =>
  conversations.flatMap((conversation) => conversation.turns)

const stepsOf = (turns: ReadonlyArray<Turn>) => turns.filter(({ tool }) => tool !== undefined).length

const perSecond = (phase: Phase, from: number): number => {
  const turns = turnsOf(phase)
  return (stepsOf(turns) / (Math.max(...turns.map(({ answeredAt }) => answeredAt)) - from)) * 1000
}

/** Steps a second from handing over all tasks to the last answer: their sandboxes are made in that time. */
export const stepsPerSecond = (phase: Phase): number => perSecond(phase, phase.submittedAt)

/** The same from the first request of any task: the sandboxes of the others may still be in the making. */
export const paceOf = (phase: Phase): number =>
  perSecond(phase, Math.min(...turnsOf(phase).map(({ arrivedAt }) => arrivedAt)))
