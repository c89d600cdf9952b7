import { expect, layer } from "@effect/vitest"
import { Effect, Random } from "effect"
import { EventBus, taskStream } from "../../../src/services/EventBus.ts"
import type { TaskId } from "../../../src/services/Ids.ts"
import { baseUrl, door, submit, tokenFor } from "../door.ts"
import { connect } from "../StreamClient.ts"

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index)

/** Appends to a task's log in commits of different sizes, with pauses that let others in. */
const write = (id: TaskId, events: number) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    for (let left = events; left > 0;) {
      const count = Math.min(left, yield* Random.nextIntBetween(1, 20))
      yield* bus.append(
        taskStream(id),
        Array.from({ length: count }, () => ({ type: "sandbox.ready" as const }))
      )
      left -= count
      yield* Effect.sleep("1 millis")
    }
  })

layer(door(), { excludeTestServices: true })("many clients", (it) => {
  it.scoped("that reconnect at random moments end with every event, once, in order", () =>
    Effect.gen(function* () {
      const url = yield* baseUrl
      const { token } = yield* tokenFor("travels")
      const id = yield* submit(token)
      const stream = `task:${id}`
      const bus = yield* EventBus
      const head = (yield* bus.head(taskStream(id))) + 2000
      let connections = 0

      /** Stays for a moment, takes what comes, and leaves without a word. */
      const visit = (seen: Array<number>) =>
        Effect.gen(function* () {
          connections++
          const client = yield* connect(url, { authorization: `Bearer ${token}` })
          yield* client.send({ type: "subscribe", stream, after: seen.at(-1) ?? 0 })
          yield* Effect.sleep(`${yield* Random.nextIntBetween(0, 60)} millis`)
          client.socket.terminate()
          yield* client.closed
          seen.push(...client.seqs(stream))
        }).pipe(Effect.scoped)

      const travel = Effect.gen(function* () {
        const seen: Array<number> = []
        while (seen.at(-1) !== head) yield* visit(seen)
        return seen
      })

      const writing = yield* Effect.fork(write(id, 2000))
      const all = yield* Effect.all(
        range(1, 15).map(() => travel),
        { concurrency: "unbounded" }
      )
      yield* writing
      for (const seen of all) expect(seen).toEqual(range(1, head))
      expect(connections).toBeGreaterThan(100)
    })
  )

  it.scoped("of many tasks each get everything of each", () =>
    Effect.gen(function* () {
      const url = yield* baseUrl
      const { token } = yield* tokenFor("watches")
      const ids = yield* Effect.forEach(range(1, 8), () => submit(token))
      const bus = yield* EventBus
      const heads = yield* Effect.forEach(ids, (id) => Effect.map(bus.head(taskStream(id)), (head) => head + 100))
      const clients = yield* Effect.forEach(range(1, 100), () => connect(url, { authorization: `Bearer ${token}` }), {
        concurrency: 10
      })
      for (const client of clients) {
        yield* client.send(ids.map((id) => ({ type: "subscribe", stream: `task:${id}`, after: 0 })))
      }
      yield* Effect.forEach(ids, (id) => write(id, 100), { concurrency: "unbounded" })
      for (const client of clients) {
        for (const [index, id] of ids.entries()) {
          const head = heads[index] ?? 0
          yield* client.until(() => client.seqs(`task:${id}`).at(-1) === head)
          expect(client.seqs(`task:${id}`)).toEqual(range(1, head))
        }
        expect(client.frames.some(({ type }) => type === "reset" || type === "error")).toBe(false)
      }
    })
  )
})
