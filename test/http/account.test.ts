import { expect, layer } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import { GitCredentials } from "../../src/services/GitCredentials.ts"
import { ask, door, tokenFor } from "./door.ts"

layer(door(), { excludeTestServices: true })("the account", (it) => {
  it.effect("tells who asks, and with which device", () =>
    Effect.gen(function* () {
      const { device, token, user } = yield* tokenFor("ann", ["read"])
      const { json } = yield* ask("GET", "/api/v1/me", { token })
      expect(json).toEqual({ ...user, deviceId: device.id, scopes: ["read"] })
    })
  )

  it.effect("lists its own devices, and says which one asks", () =>
    Effect.gen(function* () {
      const first = yield* tokenFor("bob")
      const second = yield* tokenFor("bob")
      yield* tokenFor("eve")
      const { json } = yield* ask("GET", "/api/v1/devices", { token: first.token })
      const current = json.items.map(({ current, id }: { current: boolean; id: string }) => [id, current])
      expect(new Map(current)).toEqual(
        new Map([
          [first.device.id, true],
          [second.device.id, false]
        ])
      )
      expect(json.nextCursor).toBe(null)
    })
  )

  it.effect("ends a device at once", () =>
    Effect.gen(function* () {
      const first = yield* tokenFor("carol")
      const second = yield* tokenFor("carol")
      expect((yield* ask("DELETE", `/api/v1/devices/${second.device.id}`, { token: first.token })).status).toBe(204)
      expect((yield* ask("GET", "/api/v1/me", { token: second.token })).status).toBe(401)
      expect((yield* ask("GET", "/api/v1/me", { token: first.token })).status).toBe(200)
    })
  )

  it.effect("does not end somebody else's device", () =>
    Effect.gen(function* () {
      const mine = yield* tokenFor("dave")
      const other = yield* tokenFor("eve")
      const { json, status } = yield* ask("DELETE", `/api/v1/devices/${other.device.id}`, { token: mine.token })
      expect([status, json.code]).toEqual([404, "not_found"])
      expect((yield* ask("GET", "/api/v1/me", { token: other.token })).status).toBe(200)
    })
  )
})

const put = (token: string, host: string, body: unknown) =>
  ask("PUT", `/api/v1/git-credentials/${encodeURIComponent(host)}`, { token, body })

const remove = (token: string) => ask("DELETE", "/api/v1/git-credentials/git.example", { token })

layer(door(), { excludeTestServices: true })("git credentials", (it) => {
  it.effect("are written and used, and never shown again", () =>
    Effect.gen(function* () {
      const { token, user } = yield* tokenFor("writes")
      expect((yield* put(token, "git.example:8443", { kind: "token", value: "ghp_canary" })).status).toBe(204)
      const list = yield* ask("GET", "/api/v1/git-credentials", { token })
      expect(list.json.items).toEqual([{ host: "git.example:8443", kind: "token", updatedAt: expect.any(String) }])
      expect(list.text).not.toContain("canary")
      const stored = yield* Effect.flatMap(GitCredentials, (credentials) =>
        credentials.find(user.id, "git.example:8443")
      )
      expect(Option.map(stored, ({ value }) => Redacted.value(value))).toEqual(Option.some("ghp_canary"))
    })
  )

  it.effect("belong to one user", () =>
    Effect.gen(function* () {
      const mine = yield* tokenFor("owns")
      const other = yield* tokenFor("wants")
      yield* put(mine.token, "git.example", { kind: "token", value: "x" })
      expect((yield* ask("GET", "/api/v1/git-credentials", { token: other.token })).json.items).toEqual([])
      expect((yield* remove(other.token)).status).toBe(404)
      expect((yield* remove(mine.token)).status).toBe(204)
      expect((yield* remove(mine.token)).status).toBe(404)
    })
  )

  it.effect("that could break out of their line are refused, and not repeated", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("injects")
      const answers = yield* Effect.all([
        put(token, "git.example", { kind: "token", value: "canary\nhost=evil.example" }),
        put(token, "git.example", { kind: "token", value: "canary x" }),
        put(token, "git.example", { kind: "token", value: "" }),
        put(token, "git.example", { kind: "ssh_key", value: "canary" }),
        put(token, "git.example", { kind: "password", value: "canary" }),
        put(token, "Git.Example", { kind: "token", value: "canary" }),
        put(token, "git.example/path", { kind: "token", value: "canary" }),
        put(token, "-oProxyCommand=x", { kind: "token", value: "canary" })
      ])
      expect(answers.map(({ status, json }) => [status, json.errors[0].path])).toEqual([
        [422, "value"],
        [422, "value"],
        [422, "value"],
        [422, "value"],
        [422, "kind"],
        [422, "host"],
        [422, "host"],
        [422, "host"]
      ])
      expect(answers.some(({ text }) => text.includes("canary"))).toBe(false)
    })
  )

  it.effect("may be keys", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("keys")
      const value = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
      expect((yield* put(token, "git.example", { kind: "ssh_key", value })).status).toBe(204)
    })
  )
})
