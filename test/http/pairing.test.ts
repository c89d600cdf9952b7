/** Pairing over HTTP: a second device gets in with the help of the first, and nobody else does. */
import { assert, expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { ask, door, tokenFor } from "./door.ts"

const open = (token: string, body: object = {}) => ask("POST", "/api/v1/auth/pair", { token, body })

const claim = (code: string, deviceName = "new phone") =>
  ask("POST", "/api/v1/auth/pair/claim", { body: { code, deviceName } })

const redeem = ({ pairingId, secret }: { readonly pairingId: string; readonly secret: string }, more: object = {}) =>
  ask("POST", "/api/v1/auth/token", { body: { grantType: "pairing", pairingId, secret, ...more } })

const confirm = (token: string, id: string, number: number) =>
  ask("POST", `/api/v1/auth/pair/${id}/confirm`, { token, body: { number } })

const anotherNumber = (number: number) => (number === 99 ? 10 : number + 1)

layer(door(), { excludeTestServices: true })("pairing", (it) => {
  it.effect("lets a device in that shows the code, once its number was typed on the other side", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("ann")
      const opened = yield* open(token)
      expect(opened).toMatchObject({ status: 201, json: { login: "ann", status: "open", device: null } })
      const { code, id, url } = opened.json
      expect(code).toMatch(/^[2-9B-Z]{4}-[2-9B-Z]{4}$/)
      expect(url).toMatch(new RegExp(`/pair#c=${code}$`))
      const claimed = yield* claim(code.toLowerCase().replace("-", " "))
      expect(claimed.status).toBe(201)
      expect(claimed.json.number).toBeGreaterThanOrEqual(10)
      expect(claimed.json.number).toBeLessThanOrEqual(99)
      // Fails when the code can be shown twice (mutation: no look at the status).
      expect((yield* claim(code)).json.code).toBe("invalid_grant")
      const seen = yield* ask("GET", `/api/v1/auth/pair/${id}`, { token })
      expect(seen.json).toMatchObject({ status: "claimed", device: { name: "new phone", address: "127.0.0.1" } })
      // The side that lets in learns the number from the device, never from the server.
      expect(seen.text).not.toContain(`"number"`)
      expect((yield* redeem(claimed.json)).json.code).toBe("authorization_pending")
      expect((yield* confirm(token, id, anotherNumber(claimed.json.number))).json.code).toBe("number_mismatch")
      expect((yield* redeem(claimed.json)).json.code).toBe("authorization_pending")
      expect((yield* confirm(token, id, claimed.json.number)).json.status).toBe("confirmed")
      expect((yield* redeem({ ...claimed.json, secret: "x".repeat(43) })).json.code).toBe("invalid_grant")
      const tokens = yield* redeem(claimed.json)
      expect(tokens.status).toBe(200)
      expect((yield* redeem(claimed.json)).json.code).toBe("invalid_grant")
      const devices = yield* ask("GET", "/api/v1/devices", { token: tokens.json.accessToken })
      expect(devices.json.items).toMatchObject([
        { kind: "token" },
        { kind: "session", name: "new phone", current: true }
      ])
    })
  )

  it.effect("ends after five wrong tries of the code, or of the number", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("ann")
      const first = (yield* open(token)).json
      const wrong = `${first.id}-2222`
      // Fails when wrong codes are not counted.
      for (let tries = 0; tries < 5; tries++) expect((yield* claim(wrong)).json.code).toBe("invalid_grant")
      expect((yield* claim(first.code)).json.code).toBe("invalid_grant")
      expect((yield* ask("GET", `/api/v1/auth/pair/${first.id}`, { token })).status).toBe(404)

      const second = (yield* open(token)).json
      const claimed = (yield* claim(second.code)).json
      const other = anotherNumber(claimed.number)
      for (let tries = 0; tries < 4; tries++) expect((yield* confirm(token, second.id, other)).status).toBe(409)
      expect((yield* confirm(token, second.id, other)).status).toBe(404)
      expect((yield* confirm(token, second.id, claimed.number)).status).toBe(404)
      expect((yield* redeem(claimed)).json.code).toBe("invalid_grant")
    })
  )

  it.effect("can be refused, and is nobody else's business", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("ann")
      const stranger = yield* tokenFor("stranger")
      const opened = (yield* open(token)).json
      const claimed = (yield* claim(opened.code)).json
      for (const attempt of [
        ask("GET", `/api/v1/auth/pair/${opened.id}`, { token: stranger.token }),
        ask("DELETE", `/api/v1/auth/pair/${opened.id}`, { token: stranger.token }),
        confirm(stranger.token, opened.id, claimed.number)
      ]) {
        expect((yield* attempt).status).toBe(404)
      }
      expect((yield* ask("DELETE", `/api/v1/auth/pair/${opened.id}`, { token })).status).toBe(204)
      expect((yield* redeem(claimed)).json.code).toBe("invalid_grant")
      expect((yield* open(stranger.token, { login: "ann" })).json.code).toBe("owner_required")
      expect((yield* open(token, { login: "nobody" })).status).toBe(404)
    })
  )

  it.effect("brings an invited person in, and gives a browser a cookie instead of tokens", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("ann")
      yield* ask("POST", "/api/v1/users", { token, body: { login: "bob" } })
      const opened = (yield* open(token, { login: "bob" })).json
      const claimed = (yield* claim(opened.code)).json
      yield* confirm(token, opened.id, claimed.number)
      const answer = yield* redeem(claimed, { cookie: true })
      assert.strictEqual(answer.status, 204)
      const cookie = answer.headers.getSetCookie()[0]?.split(";", 1)[0] ?? ""
      expect((yield* ask("GET", "/api/v1/me", { headers: { cookie } })).json).toMatchObject({
        login: "bob",
        role: "member"
      })
    })
  )

  it.effect("is over with the device that opened it, and with the user it was for", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("ann")
      const confirmed = Effect.fnUntraced(function* (by: string, login: string) {
        const opened = (yield* open(by, { login })).json
        const claimed = (yield* claim(opened.code)).json
        expect((yield* confirm(by, opened.id, claimed.number)).json.status).toBe("confirmed")
        return claimed
      })
      // Fails when a stolen device keeps a way in that no list of devices shows (mutation: `by` is not looked at).
      const stolen = yield* tokenFor("ann")
      const byStolen = yield* confirmed(stolen.token, "ann")
      yield* ask("DELETE", `/api/v1/devices/${stolen.device.id}`, { token })
      expect((yield* redeem(byStolen)).json.code).toBe("invalid_grant")
      // Fails when a removed user makes themselves one again (mutation: the login alone counts).
      const mallory = yield* tokenFor("mallory")
      const byMallory = yield* confirmed(mallory.token, "mallory")
      const byOwner = yield* confirmed(token, "mallory")
      expect((yield* ask("DELETE", `/api/v1/users/${mallory.user.id}`, { token })).status).toBe(204)
      for (const claimed of [byMallory, byOwner]) expect((yield* redeem(claimed)).json.code).toBe("invalid_grant")
      const users = yield* ask("GET", "/api/v1/users", { token })
      expect(users.json.items.map(({ login }: { login: string }) => login)).not.toContain("mallory")
    })
  )

  it.effect("has a page for its link, whose one script is named in its policy", () =>
    Effect.gen(function* () {
      const page = yield* ask("GET", "/pair")
      expect(page.status).toBe(200)
      expect(page.headers.get("content-security-policy")).toContain("default-src 'none'; script-src 'sha256-")
      expect(page.text).toContain("<script>const told")
      expect(page.headers.get("referrer-policy")).toBe("no-referrer")
    })
  )
})
