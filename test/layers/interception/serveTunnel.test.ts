/** TLS on both sides of a tunnel, on loopback: what the host gets, and what the client gets to see of it. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { connect } from "node:tls"
import { brotliCompressSync, gzipSync } from "node:zlib"
import { interceptorFor } from "../../../src/layers/interception/secretsOf.ts"
import { secretOf } from "../../support/secretsContract.ts"
import { tunnelsTo, upstreamHost } from "../../support/interceptedHost.ts"

const host = "api.example"
const value = "canary-value-of-the-api-key"
const secrets = [secretOf("API_KEY", value, host), secretOf("OTHER_KEY", "canary-of-another-host", "other.example")]

const stage = Effect.fnUntraced(function* (
  ...reply: Parameters<typeof upstreamHost> extends [string, ...infer R] ? R : never
) {
  const upstream = yield* upstreamHost(host, ...reply)
  const interceptor = interceptorFor(secrets, "Errand, test", Date.now(), [upstream.root])
  const tunnels = yield* tunnelsTo(interceptor, host, upstream.port, interceptor.inside.authority)
  const { API_KEY: key = "", OTHER_KEY: other = "" } = interceptor.inside.variables
  return { ...upstream, ...tunnels, interceptor, key, other }
})

const ask = (promise: () => Promise<{ readonly status: number; readonly body: string; readonly headers: object }>) =>
  Effect.promise(promise)

describe("a tunnel to the host of a secret", () => {
  // Seen to fail without the replacing of headers, and without the mask of headers or of bodies.
  it.scopedLive("gives the host the value, and the client its own placeholder back", () =>
    Effect.gen(function* () {
      const { ask: send, ends, key, seen } = yield* stage()
      const told = yield* ask(() => send(host, { headers: { "x-api-key": key }, path: `/?key=${key}` }))
      expect(seen[0]).toMatchObject({ url: `/?key=${value}`, headers: { host, "x-api-key": value } })
      expect(told.headers).toMatchObject({ "x-echo": key })
      expect(told.body).not.toContain("canary")
      expect(JSON.parse(told.body).headers["x-api-key"]).toBe(key)
      yield* Effect.repeat(Effect.sleep("10 millis"), { until: () => ends.length > 0 })
      expect(ends).toEqual([""])
    })
  )

  // Seen to fail with the placeholders of all secrets replaced for every host.
  it.scopedLive("gives it no value of another host's secret, and none in a body", () =>
    Effect.gen(function* () {
      const { ask: send, key, other, seen } = yield* stage()
      yield* ask(() => send(host, { method: "POST", headers: { "x-other": other }, body: `publish ${key} ${other}` }))
      expect(seen[0]).toMatchObject({ body: `publish ${key} ${other}`, headers: { "x-other": other } })
    })
  )

  it.scopedLive("masks a value that comes in pieces, with or without an encoding that nobody asked for", () =>
    Effect.gen(function* () {
      const { ask: send, key } = yield* stage(({ url }, response) => {
        const text = `before ${value} after`
        if (url === "/gzip") return void response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(text))
        if (url === "/br")
          return void response.writeHead(200, { "content-encoding": "br" }).end(brotliCompressSync(text))
        response.writeHead(200, { "content-length": text.length, [`x-${value}`]: "1" })
        response.write(text.slice(0, 12))
        return void setTimeout(() => response.end(text.slice(12)), 50)
      })
      for (const path of ["/", "/gzip", "/br"]) {
        const told = yield* ask(() => send(host, { path }))
        expect([path, told.body]).toEqual([path, `before ${key} after`])
        expect(JSON.stringify(told.headers)).not.toContain("canary")
      }
    })
  )

  // Seen to fail with the answer handed on where no decoder is known.
  it.scopedLive("hands on nothing that it can't look into", () =>
    Effect.gen(function* () {
      const { ask: send } = yield* stage((_, response) =>
        response.writeHead(200, { "content-encoding": "zstd" }).end(value)
      )
      const told = yield* ask(() => send(host, {}))
      expect(told.status).toBe(502)
      expect(told.body).not.toContain("canary")
    })
  )

  // Seen to fail without the comparison of `Host`, and without that of the server name: both requests came through.
  it.scopedLive("is for this host alone, inside TLS too", () =>
    Effect.gen(function* () {
      const { ask: send, ends, key, seen } = yield* stage()
      const fronted = yield* ask(() => send(host, { headers: { host: "other.example", "x-api-key": key } }))
      expect(fronted.status).toBe(421)
      const named = yield* Effect.either(
        Effect.tryPromise(() =>
          send(host, {
            servername: "other.example",
            checkServerIdentity: () => undefined,
            headers: { "x-api-key": key }
          })
        )
      )
      expect(named._tag).toBe("Left")
      expect(seen).toEqual([])
      yield* Effect.repeat(Effect.sleep("10 millis"), { until: () => ends.length > 1 })
      expect(ends.join("\n")).toContain("Host")
      expect(ends.join("\n")).toContain("SNI")
    })
  )

  // Seen to fail with every header left out that `Connection` names: the host got two requests, one for another host.
  it.scopedLive("is one request, whatever its body says and its connection is told to leave out", () =>
    Effect.gen(function* () {
      const { ask: send, seen } = yield* stage()
      const body = "GET /hidden HTTP/1.1\r\nHost: other.example\r\n\r\n"
      const headers = { "content-length": String(body.length), connection: "content-length" }
      yield* ask(() => send(host, { headers, body }))
      expect(seen.map(({ headers, url }) => [url, headers.host])).toEqual([["/", host]])
      expect(seen[0]?.body).toBe(body)
    })
  )

  const words = Effect.fnUntraced(function* (door: number, ca: string, text: string) {
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => connect({ port: door, host: "127.0.0.1", servername: host, ca, ALPNProtocols: ["http/1.1"] })),
      (open) => Effect.sync(() => open.destroy())
    )
    socket
      .on("error", () => {})
      .resume()
      .write(text)
    return socket
  })

  // Seen to fail without the limit: all of them waited in the memory of the server.
  it.scopedLive("takes no more requests than it can hold", () =>
    Effect.gen(function* () {
      const { door, interceptor, seen } = yield* stage(() => {})
      const all = `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`.repeat(100)
      const socket = yield* words(door, interceptor.inside.authority, all)
      yield* Effect.repeat(Effect.sleep("10 millis"), { until: () => socket.closed }).pipe(
        Effect.timeoutOption("3 seconds")
      )
      expect(socket.closed).toBe(true)
      expect(seen.length).toBeLessThanOrEqual(1)
    })
  )

  // Seen to fail with `rejectUnauthorized: false` on the way to the host.
  it.scopedLive("gives nothing to who can't prove to be the host, and says so", () =>
    Effect.gen(function* () {
      const upstream = yield* upstreamHost(host)
      const stranger = yield* upstreamHost(host)
      const interceptor = interceptorFor(secrets, "Errand, test", Date.now(), [stranger.root])
      const { ask: send } = yield* tunnelsTo(interceptor, host, upstream.port, interceptor.inside.authority)
      const told = yield* ask(() =>
        send(host, { headers: { "x-api-key": interceptor.inside.variables["API_KEY"] ?? "" } })
      )
      expect(told.status).toBe(502)
      expect(told.body).toContain("can be trusted")
      expect(upstream.seen).toEqual([])
    })
  )

  it.scopedLive("is not believed by the sandbox of another run", () =>
    Effect.gen(function* () {
      const upstream = yield* upstreamHost(host)
      const one = interceptorFor(secrets, "Errand, test", Date.now(), [upstream.root])
      const another = interceptorFor(secrets, "Errand, test", Date.now(), [upstream.root])
      const { ask: send } = yield* tunnelsTo(one, host, upstream.port, another.inside.authority)
      const refused = yield* Effect.flip(Effect.tryPromise(() => send(host, {})))
      expect(String(refused.cause)).toMatch(/certificate|signature/i)
      expect(upstream.seen).toEqual([])
      expect(another.inside.variables["API_KEY"]).not.toBe(one.inside.variables["API_KEY"])
    })
  )

  // Seen to end the whole process without the guard: Node throws at a status that it can't hand on.
  it.scopedLive("survives a host that answers what is no answer", () =>
    Effect.gen(function* () {
      const { ask: send } = yield* stage((_, response) => {
        response.socket?.end("HTTP/1.1 099 Odd\r\ncontent-length: 2\r\n\r\nok")
      })
      expect((yield* Effect.either(Effect.tryPromise(() => send(host, {}))))._tag).toBe("Left")
    })
  )

  it.scopedLive("streams what is large, both ways", () =>
    Effect.gen(function* () {
      const megabytes = 8
      const { ask: send, seen } = yield* stage(({ body }, response) => {
        response.write(String(body.length))
        for (let n = 0; n < megabytes; n++) response.write("y".repeat(1024 * 1024))
        response.end()
      })
      const body = "x".repeat(megabytes * 1024 * 1024)
      const told = yield* ask(() => send(host, { method: "PUT", body }))
      expect(seen[0]?.body.length).toBe(body.length)
      expect(told.body.length).toBe(String(body.length).length + megabytes * 1024 * 1024)
    })
  )
})
