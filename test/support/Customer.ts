/** Who hands in a task, answers its question and waits for its end, whatever becomes of the server meanwhile. */
import { randomUUID } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import type { Answer, Errand, Json } from "./errand.ts"

export class Customer {
  readonly #errand: Errand
  readonly #patienceMs: number

  constructor(errand: Errand, patienceMs: number) {
    this.#errand = errand
    this.#patienceMs = patienceMs
  }

  /** Sends the request until it is answered, always with the same key. */
  async command(path: string, body: unknown, method = "POST"): Promise<Answer> {
    const key = { "idempotency-key": randomUUID() }
    return await this.#persist(path, async () => {
      const answer = await this.#errand.call(method, path, body, key)
      return answer.status < 500 ? answer : undefined
    })
  }

  async submit(task: Json): Promise<string> {
    const { body, status } = await this.command("tasks", task)
    if (status !== 201) throw new Error(`not accepted: ${status} ${JSON.stringify(body)}`)
    return String(body["id"])
  }

  /**
   * Waits for the end, and answers every question with the first choice. A task that failed for a reason that may pass
   * is started again `retries` times.
   */
  async see(id: string, retries = 0): Promise<Json> {
    let left = retries
    return await this.#persist(`task ${id}`, async () => {
      const task = await this.#errand.task(id)
      if (task["status"] === "waiting") await this.#answer(id)
      if (task["status"] === "failed" && left-- > 0) {
        await this.command(`tasks/${id}/retry`, {})
        return undefined
      }
      return ["completed", "failed", "cancelled", "paused"].includes(String(task["status"])) ? task : undefined
    })
  }

  async #answer(task: string) {
    const { body } = await this.#errand.call("GET", "questions?status=open")
    const question = (body["items"] as ReadonlyArray<Json>).find(({ taskId }) => taskId === task)
    if (question === undefined) return
    const { choices, id, revision } = question
    const given = { revision, decision: "allow", choice: choices[0] }
    const { body: said, status } = await this.command(`questions/${id}/answer`, given)
    if (status !== 200) throw new Error(`not taken: ${status} ${JSON.stringify(said)}`)
  }

  /** A server that is not there, or has no space, is asked again. */
  async #persist<A>(what: string, attempt: () => Promise<A | undefined>): Promise<A> {
    const deadline = Date.now() + this.#patienceMs
    let why: unknown
    while (Date.now() < deadline) {
      const result = await attempt().catch((error: unknown) => void (why = error))
      if (result !== undefined) return result
      await sleep(50)
    }
    const task = await this.#errand.call("GET", "tasks").catch(() => undefined)
    throw new Error(
      `${what} took too long (${String(why)}): ${JSON.stringify(task?.body)}\n${this.#errand.output.slice(-3_000)}`
    )
  }
}
