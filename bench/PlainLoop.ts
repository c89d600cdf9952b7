/** The side of the plain loop: starts its process and gives it tasks. */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { type LoopNews, type LoopOrder, nextMessage } from "./channel.ts"
import { owned, ownContainers, stopProcess } from "./cleanup.ts"
import { now } from "./clock.ts"
import { passedOn, settings } from "./settings.ts"
import type { Side } from "./Side.ts"

const program = fileURLToPath(new URL("loopProcess.mjs", import.meta.url))

export const startLoop = async (modelUrl: string): Promise<Side> => {
  const label = `errand.bench=${process.pid}`
  ownContainers(label)
  const startedAt = now()
  const env = { ...passedOn, ANTHROPIC_API_KEY: "none-is-needed", ANTHROPIC_BASE_URL: modelUrl }
  const child = owned(fork(program, [label, settings.image], { env }))
  await nextMessage<LoopNews, "ready">(child, "ready", settings.phaseMs)
  return {
    name: "loop",
    pid: child.pid ?? 0,
    startMs: now() - startedAt,
    labels: () => [label],
    doTasks: async (tasks, seen) => {
      const order: LoopOrder = { type: "do", prompts: tasks.map(({ prompt }) => prompt) }
      child.send(order)
      const { received } = await nextMessage<LoopNews, "done">(child, "done", settings.phaseMs)
      await seen
      const end: LoopOrder = { type: "close" }
      child.send(end)
      await nextMessage<LoopNews, "closed">(child, "closed", settings.phaseMs)
      // It keeps nothing that could be checked.
      return { received, check: () => Promise.resolve() }
    },
    stop: () => stopProcess(child)
  }
}
