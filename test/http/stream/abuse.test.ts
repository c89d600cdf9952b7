import { connect as connectSocket } from "node:net"
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { EventBus, taskStream } from "../../../src/services/EventBus.ts"
import { ask, baseUrl, door, submit, tokenFor } from "../door.ts"
import { connect } from "../StreamClient.ts"

const open = Effect.fnUntraced(function* (login: string) {
  const url = yield* baseUrl
  const { token } = yield* tokenFor(login)
  const id = yield* submit(token)
  const client = yield* connect(url, { authorization: `Bearer ${token}` })
  return { client, id, stream: `task:${id}`, token, url }
})

const frame = (bytes: number) => `{"type":"ping","x":"${"x".repeat(bytes - 22)}"}`

const serverLives = Effect.map(ask("GET", "/healthz"), ({ status }) => expect(status).toBe(200))

// Seen to fail, each by itself: without the bounds on faults, on the size of a frame, on subscriptions; with binary frames
// passed over, any number as `after`, and pings answered by `ws` itself.
layer(door(), { excludeTestServices: true })("a client that misbehaves", (it) => {
  it.scoped("is told what is wrong with its frames, and goes on", () =>
    Effect.gen(function* () {
      const { client, stream } = yield* open("clumsy")
      const bad = [
        "",
        "{",
        "null",
        "1",
        '"subscribe"',
        "[1]",
        "{}",
        '{"type":"fly"}',
        '{"type":"subscribe"}',
        `{"type":"subscribe","stream":"${stream}","after":-1}`,
        `{"type":"subscribe","stream":"${stream}","after":"1"}`,
        `{"type":"subscribe","stream":"${stream}","after":1.5}`,
        `{"type":"subscribe","stream":"${stream}","after":9007199254740992}`,
        `{"type":"subscribe","stream":7,"after":0}`,
        `{"type":"subscribe","stream":"${"x".repeat(1000)}","after":0}`,
        `{"type":"subscribe","stream":"${stream}","after":0,"epoch":{}}`,
        '{"__proto__":{"type":"ping"}}',
        "[".repeat(30_000)
      ]
      for (const frame of bad) {
        yield* client.send(frame)
        const { code, message } = yield* client.next("error")
        expect([frame.slice(0, 80), code]).toEqual([frame.slice(0, 80), "invalid_frame"])
        expect(message.length).toBeLessThan(500)
      }
      client.socket.send(new Uint8Array([0, 255, 1]))
      expect((yield* client.next("error")).code).toBe("invalid_frame")
      yield* client.send([{ type: "ping" }, { type: "ping" }])
      yield* client.next("pong")
      yield* client.next("pong")
    })
  )

  it.scoped("is left when it does nothing but err", () =>
    Effect.gen(function* () {
      const { client } = yield* open("hopeless")
      for (let n = 0; n < 200; n++) yield* client.send("garbage")
      expect((yield* client.closed).code).toBe(1008)
      expect(client.frames.filter(({ type }) => type === "error").length).toBeLessThanOrEqual(100)
    })
  )

  it.scoped("is left for a frame that is too large, exactly", () =>
    Effect.gen(function* () {
      const { client, token, url } = yield* open("large")
      expect(frame(65_536).length).toBe(65_536)
      yield* client.send(frame(65_536))
      yield* client.next("pong")
      yield* client.send(frame(65_537))
      expect((yield* client.closed).code).toBe(1009)
      const other = yield* connect(url, { authorization: `Bearer ${token}` })
      other.socket.send("x".repeat(20_000_000))
      expect([1006, 1009]).toContain((yield* other.closed).code)
      yield* serverLives
    })
  )

  it.scoped("is left for text that is not UTF-8, and for frames that are not masked", () =>
    Effect.gen(function* () {
      const { client, token, url } = yield* open("raw")
      client.socket.send(Buffer.from([0xff, 0xfe]), { binary: false })
      expect((yield* client.closed).code).toBe(1007)
      const answer = yield* Effect.async<Buffer>((resume) => {
        const { hostname, port } = new URL(url)
        const chunks: Array<Buffer> = []
        const socket = connectSocket(Number(port), hostname, () =>
          socket.write(
            `GET /api/v1/stream HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${Buffer.alloc(16).toString("base64")}\r\n\r\n`
          )
        )
        socket.once("data", () => socket.write(Buffer.from([0x81, 0x02, 0x7b, 0x7d])))
        socket.on("data", (chunk) => chunks.push(chunk))
        socket.on("close", () => resume(Effect.succeed(Buffer.concat(chunks))))
      })
      expect(answer.subarray(-4).readUInt16BE(2) === 1002 || answer.includes(Buffer.from([0x03, 0xea]))).toBe(true)
    })
  )

  it.scoped("may go without a word", () =>
    Effect.gen(function* () {
      const { client, stream } = yield* open("silent")
      yield* client.send({ type: "subscribe", stream, after: 0 })
      yield* client.next("subscribed")
      client.socket.close()
      expect((yield* client.closed).code).toBe(1005)
      yield* serverLives
    })
  )

  it.scoped("has at most 64 subscriptions, and may ask ten thousand times", () =>
    Effect.gen(function* () {
      const { client, stream, token } = yield* open("greedy")
      for (let n = 0; n < 10_000; n++) yield* client.send({ type: "subscribe", stream, after: 0 })
      yield* client.send({ type: "ping" })
      expect(Object.keys((yield* client.next("pong")).heads)).toEqual([stream])
      for (let n = 0; n < 63; n++) {
        yield* client.send({ type: "subscribe", stream: `task:${yield* submit(token)}`, after: 0 })
      }
      yield* client.send({ type: "subscribe", stream: "inbox", after: 0 })
      expect(yield* client.next("error")).toMatchObject({ stream: "inbox", code: "too_many_subscriptions" })
    })
  )

  it.scoped("may ask for ten thousand streams that are not there", () =>
    Effect.gen(function* () {
      const { client } = yield* open("guesser")
      for (let n = 0; n < 10_000 && client.socket.readyState === client.socket.OPEN; n++) {
        yield* client.send({ type: "subscribe", stream: `task:task_${String(n).padStart(26, "0")}`, after: 0 })
      }
      expect((yield* client.closed).code).toBe(1008)
      yield* serverLives
    })
  )

  it.scoped("may ping without end, and gets no more answers than it takes", () =>
    Effect.gen(function* () {
      const { client } = yield* open("pinger")
      client.socket.pause()
      for (let n = 0; n < 50_000; n++) client.socket.ping()
      for (let n = 0; n < 5_000; n++) yield* client.send({ type: "ping" })
      yield* serverLives
      client.socket.resume()
      yield* client.next("pong")
    })
  )
})

layer(door(), { excludeTestServices: true })("a client that does not read", (it) => {
  it.scoped("is reset and costs little, while others miss nothing", () =>
    Effect.gen(function* () {
      const { client, id, stream, token, url } = yield* open("stalled")
      const healthy = yield* connect(url, { authorization: `Bearer ${token}` })
      for (const one of [client, healthy]) {
        yield* one.send({ type: "subscribe", stream, after: 0 })
        yield* one.next("subscribed")
      }
      client.socket.pause()
      const bus = yield* EventBus
      const big = { type: "task.paused" as const, reason: "x".repeat(7_000) }
      const events = Array.from({ length: 10 }, () => big)
      const memory = process.memoryUsage.rss()
      for (let n = 0; n < 400; n++) {
        const last = (yield* bus.append(taskStream(id), events)).at(-1)?.seq ?? 0
        if (n % 20 === 19) yield* healthy.until(() => (healthy.seqs(stream).at(-1) ?? 0) >= last - 200)
      }
      const head = yield* bus.head(taskStream(id))
      yield* healthy.until(() => healthy.seqs(stream).at(-1) === head)
      expect(healthy.seqs(stream)).toEqual(Array.from({ length: head }, (_, index) => index + 1))
      expect(healthy.frames.some(({ type }) => type === "reset")).toBe(false)
      client.socket.resume()
      const reset = yield* client.next("reset")
      expect(reset).toMatchObject({ stream, reason: "slow" })
      const seen = client.seqs(stream)
      expect(seen).toEqual(Array.from({ length: seen.length }, (_, index) => index + 1))
      expect(seen.length).toBeLessThan(head)
      yield* client.send({ type: "subscribe", stream, after: seen.length })
      yield* client.next("subscribed")
      yield* client.until(() => client.seqs(stream).at(-1) === head)
      expect(client.seqs(stream)).toEqual(Array.from({ length: head }, (_, index) => index + 1))
      expect(process.memoryUsage.rss() - memory).toBeLessThan(400e6)
    })
  )

  it.scoped("gets its backlog at its own pace", () =>
    Effect.gen(function* () {
      const { client, id, stream } = yield* open("patient")
      const bus = yield* EventBus
      const big = { type: "task.paused" as const, reason: "x".repeat(7_000) }
      for (let n = 0; n < 20; n++)
        yield* bus.append(
          taskStream(id),
          Array.from({ length: 100 }, () => big)
        )
      yield* client.send({ type: "subscribe", stream, after: 0 })
      yield* client.next("event")
      client.socket.pause()
      yield* Effect.sleep("300 millis")
      yield* bus.append(taskStream(id), [big])
      client.socket.resume()
      expect((yield* client.next("subscribed")).head).toBe(2002)
      expect(client.seqs(stream)).toEqual(Array.from({ length: 2002 }, (_, index) => index + 1))
      expect(client.frames.some(({ type }) => type === "reset")).toBe(false)
    })
  )
})
