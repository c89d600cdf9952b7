/** Which fault a request meets: a script's faults befall one and the same request in turn, then it is answered. */
import { createHash } from "node:crypto"
import type { Fault } from "./Script.ts"

/** Requests that are remembered; the oldest are forgotten. */
const memory = 1_000

export class FaultCounter {
  readonly #attempts = new Map<string, number>()

  /** Counts the attempt. `messages` tells one request from another. */
  next(messages: unknown, faults: ReadonlyArray<Fault>): Fault | undefined {
    if (faults.length === 0) return undefined
    const key = createHash("sha256").update(JSON.stringify(messages)).digest("base64")
    const attempt = this.#attempts.get(key) ?? 0
    this.#attempts.delete(key)
    this.#attempts.set(key, attempt + 1)
    const [oldest] = this.#attempts.keys()
    if (this.#attempts.size > memory && oldest !== undefined) this.#attempts.delete(oldest)
    return faultOf(faults, attempt)
  }
}

const faultOf = (faults: ReadonlyArray<Fault>, attempt: number): Fault | undefined => {
  let before = 0
  for (const fault of faults) {
    before += fault.times === "always" ? Infinity : (fault.times ?? 1)
    if (attempt < before) return fault
  }
  return undefined
}
