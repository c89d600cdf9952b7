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

/** The counts under a name, from zero. */
const countsOf = (map: Map<string, Counts>, name: string): Counts => {
  const known = map.get(name) ?? none()
  map.set(name, known)
  return known
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

  /** The name that a host is counted under, the same for as long as the task lives. */
  #nameOf(host: string): string {
    return this.#hosts.has(host) || this.#hosts.size < limits.hosts ? host : otherHosts
  }

  /** All counts of a host: since the task began, and since they were last taken. */
  #countsOf(host: string): readonly [all: Counts, fresh: Counts] {
    const name = this.#nameOf(host)
    return [countsOf(this.#hosts, name), countsOf(this.#fresh, name)]
  }

  request(host: string): void {
    for (const counts of this.#countsOf(host)) counts.requests++
  }

  /** False when the task has sent as much to the host, or in all, as it may. */
  sent(host: string, bytes: number, most: number = limits.budget.sentToHost): boolean {
    const [there, fresh] = this.#countsOf(host)
    there.sentBytes += bytes
    fresh.sentBytes += bytes
    this.#total.sentBytes += bytes
    return there.sentBytes <= most && this.#total.sentBytes <= limits.budget.sent
  }

  received(host: string, bytes: number): boolean {
    const [there, fresh] = this.#countsOf(host)
    there.receivedBytes += bytes
    fresh.receivedBytes += bytes
    this.#total.receivedBytes += bytes
    return there.receivedBytes <= limits.budget.receivedFromHost && this.#total.receivedBytes <= limits.budget.received
  }

  /** True for a refusal that is worth an event: it is new, and there were not too many before. */
  refuse(refusal: Refusal): boolean {
    for (const counts of this.#countsOf(refusal.host)) counts.refusals++
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
