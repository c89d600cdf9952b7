/** Commands whose body comes late: what holds is who somebody is by then. */
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { request } from "node:http"
import { ask, baseUrl, door, newTask, tokenFor } from "./door.ts"

/** A POST whose headers are sent and whose body is not; `finish` sends it, and gives the status of the answer. */
const begin = Effect.fnUntraced(function* (token: string, path: string, body: object) {
  const text = JSON.stringify(body)
  const url = `${yield* baseUrl}${path}`
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" }
  const sent = request(url, { method: "POST", headers })
  const status = new Promise<number>((resolve, reject) => {
    sent.on("error", reject).on("response", (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
  })
  sent.write(text.slice(0, 5))
  // The server has seen the headers when it has answered what came after them.
  yield* ask("GET", "/api/v1/me", { token })
  yield* Effect.sleep("50 millis")
  return {
    finish: Effect.promise(() => {
      sent.end(text.slice(5))
      return status
    })
  }
})

// Fails when only the headers are looked at: a minute is enough to come back with (mutation: `authenticated` once).
layer(door(), { excludeTestServices: true })("a command that was begun", (it) => {
  it.effect("is not obeyed for a device that was revoked meanwhile", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("ann")
      const stolen = yield* tokenFor("ann")
      const slow = yield* begin(stolen.token, "/api/v1/tasks", newTask)
      expect((yield* ask("DELETE", `/api/v1/devices/${stolen.device.id}`, { token })).status).toBe(204)
      expect(yield* slow.finish).toBe(401)
      expect((yield* ask("GET", "/api/v1/tasks", { token })).json.items).toEqual([])
    })
  )

  it.effect("does not make an owner again of one who was removed, or is one no longer", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("ann")
      const other = yield* tokenFor("bob")
      const invite = (role: string) => ask("POST", "/api/v1/users", { token, body: { login: "bob", role } })
      expect((yield* invite("owner")).status).toBe(201)
      const first = yield* begin(other.token, "/api/v1/users", { login: "bob", role: "owner" })
      expect((yield* invite("member")).status).toBe(201)
      expect(yield* first.finish).toBe(403)
      expect((yield* invite("owner")).status).toBe(201)
      const second = yield* begin(other.token, "/api/v1/users", { login: "bob", role: "owner" })
      expect((yield* ask("DELETE", `/api/v1/users/${other.user.id}`, { token })).status).toBe(204)
      expect(yield* second.finish).toBe(401)
      expect((yield* ask("GET", "/api/v1/me", { token: other.token })).status).toBe(401)
    })
  )
})
