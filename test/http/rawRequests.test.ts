/** Requests as no library writes them, byte by byte on a socket. */
import { expect, layer } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { connect } from "node:net"
import { Accounts } from "../../src/services/Accounts.ts"
import { baseUrl, door, tokenFor } from "./door.ts"

/** What comes back until the server hangs up, or until it has switched to frames. */
const converse = (url: string, words: string, drip?: string) =>
  Effect.async<string>((resume) => {
    const { hostname, port } = new URL(url)
    let answer = ""
    const socket = connect(Number(port), hostname, () => socket.write(words))
    const dripping = setInterval(() => drip !== undefined && socket.writable && socket.write(drip), 50)
    socket.on("error", () => {})
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1")
      if (answer.startsWith("HTTP/1.1 101")) socket.destroy()
    })
    socket.on("close", () => {
      clearInterval(dripping)
      resume(Effect.succeed(answer))
    })
    return Effect.sync(() => socket.destroy())
  })

const upgrade = (headers: ReadonlyArray<string>) =>
  [
    "GET /api/v1/stream HTTP/1.1",
    ...headers,
    "connection: Upgrade",
    "upgrade: websocket",
    "sec-websocket-version: 13",
    `sec-websocket-key: ${Buffer.alloc(16).toString("base64")}`,
    "",
    ""
  ].join("\r\n")

layer(door(), { excludeTestServices: true })("a page that opens the stream with a browser's cookie", (it) => {
  // Seen to fail with the guard of origins taken out, with one that believes the first of several, and with a cookie that
  // needs no page.
  it.effect("must be the server's own, named once", () =>
    Effect.gen(function* () {
      const url = yield* baseUrl
      const { user } = yield* tokenFor("browses")
      const { cookie } = yield* (yield* Accounts).openBrowserSession(user.id, "browser")
      const known = [`host: ${new URL(url).host}`, `cookie: errand_session=${Redacted.value(cookie)}`]
      const statusFor = (...origins: ReadonlyArray<string>) =>
        Effect.map(converse(url, upgrade([...known, ...origins.map((origin) => `origin: ${origin}`)])), (answer) =>
          answer.slice(9, 12)
        )
      expect(yield* statusFor(url)).toBe("101")
      expect(yield* statusFor()).toBe("403")
      expect(yield* statusFor("https://evil.example")).toBe("403")
      expect(yield* statusFor("null")).toBe("403")
      expect(yield* statusFor(url, "https://evil.example")).toBe("403")
      expect(yield* statusFor("https://evil.example", url)).toBe("403")
    })
  )
})

const bounds = { headersTimeout: 500, requestTimeout: 60_000, connectionsCheckingInterval: 100 }

layer(door({ bounds }), { excludeTestServices: true })("a request whose headers trickle", (it) => {
  // Seen to fail with `headersTimeout: 0`: the bound of whole requests is six times as long.
  it.effect("is ended long before the time of a whole request, though each byte comes in time", () =>
    Effect.gen(function* () {
      const url = yield* baseUrl
      const answer = yield* converse(url, "GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ", "x")
      expect(answer).toContain("408 Request Timeout")
    })
  )
})
