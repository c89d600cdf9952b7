/** Processor time inside containers, as the engine counts it. */
import Docker from "dockerode"
import { sum } from "./statistics.ts"

/** Milliseconds that the containers with one of the labels (`name=value`) have used so far; NaN when one is gone by now. */
export const containerCpuMs = async (labels: ReadonlyArray<string>): Promise<number> => {
  const docker = new Docker()
  const used = async (label: string) => {
    const containers = await docker.listContainers({ filters: { label: [label] } })
    const each = await Promise.all(containers.map(({ Id }) => usedBy(docker.getContainer(Id))))
    return each.length === 0 ? Number.NaN : sum(each)
  }
  return sum(await Promise.all(labels.map(used)))
}

const usedBy = async (container: Docker.Container): Promise<number> => {
  try {
    const { cpu_stats: cpu } = await container.stats({ stream: false, "one-shot": true })
    return cpu.cpu_usage.total_usage / 1e6
  } catch {
    return Number.NaN
  }
}
