/**
 * What goes through one way, and what was kept from it.
 *
 * Owns: counting bytes against the budgets of the task, remembering each refusal once.
 * Does not own: storing what was counted (`NetworkLog`), telling of refusals (`EgressProxy.ts`).
 */
import type { Refusal } from "../../services/Egress.ts"
import type { HostTraffic } from "../../services/NetworkLog.ts"
import * as limits from "./limits.ts"

interface Counts {
  requests: number
  refusals: number
  sentBytes: number
  receivedBytes: number
}

/** What is no host, and hosts beyond the number that is listed by name. */
export const otherHosts = "(others)"

const none = (): Counts => ({ requests: 0, refusals: 0, sentBytes: 0, receivedBytes: 0 })

const countsOf = (map: Map<string, Counts>, host: string): Counts => {
  const known = map.get(host)
  if (known !== undefined) return known
  const place = map.size < limits.hosts ? host : otherHosts
  const counts = map.get(place) ?? none()
  map.set(place, counts)
  return counts
}

export class Ledger {
  /** Since the task began: what budgets are compared with. */
  readonly #total = none()
  readonly #hosts = new Map<string, Counts>()
  /** Since it was last taken to be stored. */
  #fresh = new Map<string, Counts>()
  /** Refusals that were told, and those since they were last taken. */
  readonly #told = new Set<string>()
  #refusals = new Map<string, Refusal>()

  /** `before`: the traffic of former runs of the task. */
  constructor(before: ReadonlyArray<HostTraffic>) {
    for (const { host, receivedBytes, requests, refusals, sentBytes } of before) {
      this.#hosts.set(host, { requests, refusals, sentBytes, receivedBytes })
      this.#total.sentBytes += sentBytes
      this.#total.receivedBytes += receivedBytes
    }
  }

  request(host: string): void {
    countsOf(this.#fresh, host).requests++
  }

  /** False when the task has sent as much to the host, or in all, as it may. */
  sent(host: string, bytes: number, most: number = limits.budget.sentToHost): boolean {
    countsOf(this.#fresh, host).sentBytes += bytes
    const there = countsOf(this.#hosts, host)
    there.sentBytes += bytes
    this.#total.sentBytes += bytes
    return there.sentBytes <= most && this.#total.sentBytes <= limits.budget.sent
  }

  received(host: string, bytes: number): boolean {
    countsOf(this.#fresh, host).receivedBytes += bytes
    const there = countsOf(this.#hosts, host)
    there.receivedBytes += bytes
    this.#total.receivedBytes += bytes
    return there.receivedBytes <= limits.budget.receivedFromHost && this.#total.receivedBytes <= limits.budget.received
  }

  /** True for a refusal that is worth an event: it is new, and there were not too many before. */
  refuse(refusal: Refusal): boolean {
    countsOf(this.#fresh, refusal.host).refusals++
    const key = `${refusal.host} ${refusal.reason}`
    if (this.#refusals.size < limits.events) this.#refusals.set(key, refusal)
    if (this.#told.has(key) || this.#told.size >= limits.events) return false
    this.#told.add(key)
    return true
  }

  takeRefusals(): ReadonlyArray<Refusal> {
    const taken = [...this.#refusals.values()]
    this.#refusals = new Map()
    return taken
  }

  /** What has been counted since this was last asked. */
  takeTraffic(at: string): ReadonlyArray<HostTraffic> {
    const taken = this.#fresh
    this.#fresh = new Map()
    return [...taken].map(([host, counts]) => ({ host, ...counts, firstAt: at, lastAt: at }))
  }
}
