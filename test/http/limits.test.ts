/** What one user or address may ask for, and how long a connection may take. */
import { connect } from "node:net"
import { assert, expect, it, layer } from "@effect/vitest"
import { Effect, Option } from "effect"
import { WebSocket } from "ws"
import { addressOf } from "../../src/http/clientAddress.ts"
import { ask, baseUrl, door, newTask, tokenFor } from "./door.ts"

const few = { requestsPerMinute: 40, streams: 3, queuedTasks: 2 }

// Fails when the first entry is taken, or when any is without a trusted proxy.
it("believes of X-Forwarded-For only what trusted proxies have added", () => {
  const remote = Option.some("10.0.0.1")
  const list = "1.1.1.1, 2.2.2.2, 3.3.3.3"
  expect(addressOf(remote, "127.0.0.1", 0)).toBe("10.0.0.1")
  expect(addressOf(remote, list, 1)).toBe("3.3.3.3")
  expect(addressOf(remote, list, 2)).toBe("2.2.2.2")
  expect(addressOf(remote, list, 4)).toBe("10.0.0.1")
  expect(addressOf(remote, "rubbish", 1)).toBe("10.0.0.1")
  expect(addressOf(remote, undefined, 1)).toBe("10.0.0.1")
  expect(addressOf(Option.some("::ffff:10.0.0.1"), undefined, 0)).toBe("10.0.0.1")
})

const attempt = (address: string, n: number) =>
  ask("POST", "/api/v1/auth/refresh", {
    body: { refreshToken: "x" },
    headers: { "x-forwarded-for": `127.0.0.1, 10.9.8.${n % 250}, ${address}` }
  })

const submit = (bearer: string) => ask("POST", "/api/v1/tasks", { token: bearer, body: newTask })

const me = (bearer: string) => ask("GET", "/api/v1/me", { token: bearer })

const refused = (status: number, retryAfter: string | null) => {
  expect(status).toBe(429)
  expect(Number(retryAfter)).toBeGreaterThan(0)
}

layer(door({ settings: { trustedProxyHops: 1, perUser: few } }), { excludeTestServices: true })(
  "behind a proxy",
  (it) => {
    // Fails without `consume(signIns, …)`.
    it.effect("counts attempts to sign in by address, whatever a client writes before it", () =>
      Effect.gen(function* () {
        for (let n = 0; n < 30; n++) expect((yield* attempt("203.0.113.7", n)).status).toBe(401)
        const last = yield* attempt("203.0.113.7", 31)
        refused(last.status, last.headers.get("retry-after"))
        expect(last.json.code).toBe("too_many_requests")
        expect((yield* attempt("203.0.113.8", 0)).status).toBe(401)
        // One network of IPv6 is one address.
        for (let n = 0; n < 30; n++) yield* attempt(`2001:db8::${n}`, n)
        expect((yield* attempt("2001:db8::ffff", 0)).status).toBe(429)
        expect((yield* attempt("2001:db8:0:1::1", 0)).status).toBe(401)
      })
    )

    it.effect("tells nobody the metrics who claims to be this machine", () =>
      Effect.gen(function* () {
        const reply = yield* ask("GET", "/metrics", { headers: { "x-forwarded-for": "127.0.0.1" } })
        expect(reply.status).toBe(401)
      })
    )
  }
)

layer(door({ settings: { perUser: few } }), { excludeTestServices: true })("a user", (it) => {
  it.effect("may have so many tasks in the queue, and another one is not kept from theirs", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("greedy")
      const other = yield* tokenFor("modest")
      expect((yield* submit(token)).status).toBe(201)
      expect((yield* submit(token)).status).toBe(201)
      // Fails without the count of queued tasks.
      const third = yield* submit(token)
      refused(third.status, third.headers.get("retry-after"))
      expect(third.json.code).toBe("queue_full")
      expect((yield* submit(other.token)).status).toBe(201)
    })
  )

  it.effect("may have so many streams open", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("listens")
      const other = yield* tokenFor("quiet")
      const url = (yield* baseUrl).replace("http", "ws")
      const open = (bearer: string) =>
        Effect.promise(
          () =>
            new Promise<number>((resolve) => {
              const socket = new WebSocket(`${url}/api/v1/stream`, { headers: { authorization: `Bearer ${bearer}` } })
              socket.on("error", () => undefined)
              socket.on("open", () => resolve(101))
              socket.on("unexpected-response", (_, response) => resolve(response.statusCode ?? 0))
            })
        )
      // Fails without countOf in hasRoom.
      expect([yield* open(token), yield* open(token), yield* open(token), yield* open(token)]).toEqual([
        101, 101, 101, 429
      ])
      expect(yield* open(other.token)).toBe(101)
    })
  )

  it.effect("may ask so often in a minute, and is told how long to wait", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("hammers")
      const other = yield* tokenFor("patient")
      for (let n = 0; n < few.requestsPerMinute; n++) expect((yield* me(token)).status).toBe(200)
      // Fails without limits.user in the middleware.
      const last = yield* me(token)
      refused(last.status, last.headers.get("retry-after"))
      expect((yield* me(other.token)).status).toBe(200)
    })
  )
})

/** Writes piece by piece, and gives what came back and how many milliseconds it took to be hung up on. */
const drip = (port: number, pieces: ReadonlyArray<string>, everyMs: number) =>
  Effect.promise(
    () =>
      new Promise<{ readonly text: string; readonly ms: number }>((resolve) => {
        const start = performance.now()
        const socket = connect(port, "127.0.0.1")
        let text = ""
        let next = 0
        const timer = setInterval(() => socket.write(pieces[next++ % pieces.length] ?? ""), everyMs)
        socket.on("data", (chunk) => (text += chunk.toString()))
        socket.on("error", () => undefined)
        socket.on("close", () => {
          clearInterval(timer)
          resolve({ text, ms: performance.now() - start })
        })
        socket.write("POST /api/v1/auth/refresh HTTP/1.1\r\nhost: 127.0.0.1\r\n")
      })
  )

layer(door(), { excludeTestServices: true, timeout: 60_000 })("a slow client", (it) => {
  // Fails with headersTimeout 0.
  it.effect(
    "is hung up on when its headers never end, and so are five hundred, while others are served",
    () =>
      Effect.gen(function* () {
        const port = Number(new URL(yield* baseUrl).port)
        const slow = Effect.all(
          Array.from({ length: 500 }, () => drip(port, ["x-a: b\r\n"], 1000)),
          { concurrency: "unbounded" }
        )
        const { token } = yield* tokenFor("honest")
        const honest = Effect.gen(function* () {
          for (let n = 0; n < 20; n++) {
            expect((yield* ask("GET", "/api/v1/me", { token })).status).toBe(200)
            yield* Effect.sleep("100 millis")
          }
        })
        const [ended] = yield* Effect.all([slow, honest], { concurrency: "unbounded" })
        for (const { ms, text } of ended) {
          assert.isBelow(ms, 30_000)
          assert.match(text, /^HTTP\/1\.1 408 /)
        }
      }),
    { timeout: 60_000 }
  )
})
