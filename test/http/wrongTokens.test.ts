/**
 * Every route and the stream, with tokens that are none of theirs. The routes come from the definition of the API, so a
 * new one is asked as well.
 */
import { once } from "node:events"
import { expect, layer } from "@effect/vitest"
import { Effect, Option, Redacted, TestClock } from "effect"
import { WebSocket } from "ws"
import { Accounts } from "../../src/services/Accounts.ts"
import { Sessions } from "../../src/services/Sessions.ts"
import { ask, baseUrl, door, tokenFor } from "./door.ts"
import { bodyFor, fill, routes, usersRoutes } from "./routes.ts"

const values = {
  taskId: "task_00000000000000000000000000",
  messageId: "msg_00000000000000000000000000",
  questionId: "question_00000000000000000000000000",
  scheduleId: "schedule_00000000000000000000000000",
  deviceId: "device_00000000000000000000000000",
  userId: "user_00000000000000000000000000",
  pairingId: "2222",
  toolCallId: "none",
  fileId: "none",
  name: "NONE",
  host: "none.example"
}

/** Open to whoever comes: they take codes, secrets and signatures in their bodies, or tell nothing of anybody. */
const openGroups = ["auth", "system"]

/** A session, and every secret that is around it. */
const wrongTokens = Effect.gen(function* () {
  const accounts = yield* Accounts
  const sessions = yield* Sessions
  const { user } = yield* tokenFor("ann")
  const session = yield* sessions.open(user.id, "phone")
  const { cookie } = yield* accounts.openBrowserSession(user.id, "browser")
  const revoked = yield* sessions.open(user.id, "revoked")
  yield* accounts.revoke(Option.some(user.id), revoked.deviceId)
  const over = yield* sessions.open(user.id, "over")
  yield* sessions.rotateKeys({ atOnce: true })
  const opened = yield* ask("POST", "/api/v1/auth/pair", { token: (yield* tokenFor("ann")).token, body: {} })
  const claimed = yield* ask("POST", "/api/v1/auth/pair/claim", {
    body: { code: opened.json.code, deviceName: "x" }
  })
  return {
    "a refresh token": Redacted.value(session.refreshToken),
    "the cookie of a browser": Redacted.value(cookie),
    "the access token of a device that was revoked": Redacted.value(revoked.accessToken),
    "an access token that is over": Redacted.value(over.accessToken),
    "a code for pairing": String(opened.json.code),
    "the secret of a pairing": String(claimed.json.secret),
    "the key of the server": "a-key-of-more-than-thirty-two-characters",
    "the id of a device": session.deviceId,
    "a token of a forge": `gho_${"a".repeat(36)}`
  }
})

const closeCode = (url: string, token: string, place: "header" | "frame") =>
  Effect.promise(async () => {
    const socket = new WebSocket(
      `${url.replace("http", "ws")}/api/v1/stream`,
      place === "header" ? { headers: { authorization: `Bearer ${token}` } } : {}
    )
    socket.on("error", () => undefined)
    if (place === "frame") socket.on("open", () => socket.send(JSON.stringify({ type: "authenticate", token })))
    const refused = once(socket, "unexpected-response").then(([, response]): number => response.statusCode)
    const closed = once(socket, "close").then(([code]): number => code)
    const first = await Promise.race([refused, closed])
    socket.terminate()
    return first
  })

layer(door(), { excludeTestServices: true })("a token of another kind", (it) => {
  // Fails when hashToken takes tokens of any kind, when `retiresAt` is not looked at, when a revoked device is known.
  it.effect("opens no route", () =>
    Effect.gen(function* () {
      const tokens = yield* wrongTokens
      for (const [what, token] of Object.entries(tokens)) {
        for (const route of usersRoutes) {
          const reply = yield* ask(route.method, fill(route.path, values), { token, body: bodyFor(route) })
          expect([what, route.name, reply.status, reply.json?.code]).toEqual([what, route.name, 401, "unauthenticated"])
        }
      }
    })
  )

  it.effect("opens no stream, in the header or in a frame", () =>
    Effect.gen(function* () {
      const url = yield* baseUrl
      for (const [what, token] of Object.entries(yield* wrongTokens)) {
        expect([what, yield* closeCode(url, token, "header")]).toEqual([what, 401])
        expect([what, yield* closeCode(url, token, "frame")]).toEqual([what, 4401])
      }
    })
  )

  it.effect("does nothing on the open routes either, with nothing or rubbish in the body", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("ann")
      const posts = routes.filter(({ group, method }) => group === "auth" && method === "POST")
      expect(posts.length).toBeGreaterThan(3)
      for (const route of posts) {
        for (const body of [
          {},
          [],
          "x",
          { grantType: "password", username: "ann", password: "x" },
          { refreshToken: 1 }
        ]) {
          const reply = yield* ask(route.method, route.path, { token, body })
          expect([route.name, reply.status >= 400 && reply.status < 500]).toEqual([route.name, true])
        }
      }
    })
  )

  it.effect("is asked for on every route but the open ones", () =>
    Effect.sync(() => {
      const open = routes.filter(({ group }) => openGroups.includes(group)).map(({ path }) => path)
      for (const path of open) expect(path).toMatch(/^\/(?:api\/v1\/auth\/|healthz|readyz|metrics|api\/v1\/openapi)/)
    })
  )
})

layer(door())("an access token", (it) => {
  // Fails when `exp` is not looked at (mutation: a clockTolerance of an hour).
  it.effect("opens no route and no stream once its ten minutes are over", () =>
    Effect.gen(function* () {
      const { user } = yield* tokenFor("ann")
      const sessions = yield* Sessions
      const url = yield* baseUrl
      const accessToken = Redacted.value((yield* sessions.open(user.id, "phone")).accessToken)
      expect((yield* ask("GET", "/api/v1/me", { token: accessToken })).status).toBe(200)
      yield* TestClock.adjust("601 seconds")
      for (const route of usersRoutes) {
        const reply = yield* ask(route.method, fill(route.path, values), { token: accessToken, body: bodyFor(route) })
        expect([route.name, reply.status, reply.json?.code]).toEqual([route.name, 401, "unauthenticated"])
      }
      expect(yield* closeCode(url, accessToken, "header")).toBe(401)
      expect(yield* closeCode(url, accessToken, "frame")).toBe(4401)
    })
  )
})
