/** NetworkLog in memory, for tests and the demo: gone with the process. */
import { Effect, Layer } from "effect"
import type { TaskId } from "../services/Ids.ts"
import { type HostTraffic, NetworkLog } from "../services/NetworkLog.ts"

const sum = (before: HostTraffic, more: HostTraffic): HostTraffic => ({
  host: more.host,
  requests: before.requests + more.requests,
  refusals: before.refusals + more.refusals,
  sentBytes: before.sentBytes + more.sentBytes,
  receivedBytes: before.receivedBytes + more.receivedBytes,
  firstAt: before.firstAt < more.firstAt ? before.firstAt : more.firstAt,
  lastAt: before.lastAt > more.lastAt ? before.lastAt : more.lastAt
})

export const layer = Layer.sync(NetworkLog, () => {
  const tasks = new Map<TaskId, Map<string, HostTraffic>>()
  return NetworkLog.of({
    add: (id, traffic) =>
      Effect.sync(() => {
        const hosts = tasks.get(id) ?? new Map<string, HostTraffic>()
        tasks.set(id, hosts)
        for (const line of traffic) {
          const before = hosts.get(line.host)
          hosts.set(line.host, before === undefined ? line : sum(before, line))
        }
      }),
    list: (id) =>
      Effect.sync(() => [...(tasks.get(id)?.values() ?? [])].toSorted((a, b) => (a.lastAt < b.lastAt ? 1 : -1)))
  })
})
