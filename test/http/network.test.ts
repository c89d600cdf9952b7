/** Allowing a host for a task, and what it asked for, as a client sees it. */
import { expect, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { TaskId } from "../../src/services/Ids.ts"
import { Egress } from "../../src/services/Egress.ts"
import { NetworkLog } from "../../src/services/NetworkLog.ts"
import { Sandbox } from "../../src/services/Sandbox.ts"
import { NetworkMode } from "../../src/services/Task.ts"
import { ask, door, submit, tokenFor } from "./door.ts"

const everyMode = Layer.mock(Sandbox, { networkModes: NetworkMode.literals })

const at = (second: number) => `2026-01-01T00:00:0${second}.000Z`

const withTask = Effect.fnUntraced(function* (login: string, network: unknown) {
  const { token } = yield* tokenFor(login)
  const id: TaskId = yield* submit(token, { network })
  const path = `/api/v1/tasks/${id}/network/hosts`
  const allow = (body: unknown, headers = {}) => ask("POST", path, { token, body, headers })
  return { id, allow, hosts: ask("GET", path, { token }), token }
})

const passed: Array<string> = []
const recording = Layer.mock(Egress, { allow: (id, host) => Effect.sync(() => void passed.push(`${id} ${host}`)) })

layer(door({ sandbox: everyMode, egress: recording }), { excludeTestServices: true })("the network of a task", (it) => {
  it.effect("gets one more host: the registries stay, the task says so, the log tells it once", () =>
    Effect.gen(function* () {
      const { allow, id, token } = yield* withTask("allows", { mode: "registries" })
      const first = yield* allow({ host: "files.example.com" }, { "idempotency-key": "one" })
      expect(first.status).toBe(200)
      expect(first.json).toMatchObject({ id, network: { mode: "allowlist", hosts: ["files.example.com"] } })
      expect((yield* allow({ host: "files.example.com" }, { "idempotency-key": "one" })).json).toEqual(first.json)
      expect((yield* allow({ host: "files.example.com" })).json.seq).toBe(first.json.seq)
      // A repeated request may be the first that comes to its end: it lets the host through again.
      expect(passed).toEqual(Array.from({ length: 3 }, () => `${id} files.example.com`))
      const more = yield* allow({ host: "more.example.com" })
      expect(more.json.network.hosts).toEqual(["files.example.com", "more.example.com"])
      expect((yield* ask("GET", `/api/v1/tasks/${id}`, { token })).json.network).toEqual(more.json.network)
      const events = (yield* ask("GET", `/api/v1/tasks/${id}/events`, { token })).json.items
      expect(events.at(-1).event).toEqual({ type: "task.updated", fields: ["network"] })
    })
  )

  it.effect("is refused where the mode admits no host, and for what is no name", () =>
    Effect.gen(function* () {
      for (const mode of ["none", "open"]) {
        const { allow } = yield* withTask(`refuses-${mode}`, { mode })
        const answer = yield* allow({ host: "files.example.com" })
        expect(answer.status).toBe(409)
        expect(answer.json).toMatchObject({ code: "not_possible_now", detail: expect.stringContaining(`"${mode}"`) })
      }
      const { allow } = yield* withTask("refuses-names", { mode: "allowlist", hosts: [] })
      for (const host of [
        "127.0.0.1",
        "*.example.com",
        "files.example.com:443",
        "Files.example.com",
        "a",
        "x.com.",
        ""
      ]) {
        expect([host, (yield* allow({ host })).status]).toEqual([host, 422])
      }
    })
  )

  it.effect("lists what was asked for, the last one first", () =>
    Effect.gen(function* () {
      const { hosts, id } = yield* withTask("lists", { mode: "registries" })
      const log = yield* NetworkLog
      const line = { requests: 2, refusals: 1, sentBytes: 3, receivedBytes: 4 }
      yield* log.add(id, [{ host: "a.example.com", ...line, firstAt: at(1), lastAt: at(1) }])
      yield* log.add(id, [{ host: "b.example.com", ...line, firstAt: at(2), lastAt: at(2) }])
      yield* log.add(id, [{ host: "a.example.com", ...line, firstAt: at(3), lastAt: at(3) }])
      expect((yield* hosts).json).toEqual({
        items: [
          {
            host: "a.example.com",
            requests: 4,
            refusals: 2,
            sentBytes: 6,
            receivedBytes: 8,
            firstAt: at(1),
            lastAt: at(3)
          },
          { host: "b.example.com", ...line, firstAt: at(2), lastAt: at(2) }
        ],
        nextCursor: null
      })
    })
  )
})
