/**
 * Tunnels, attacked from inside a sandbox. Above each test: the protection that was taken out to see it fail.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { setTimeout as sleep } from "node:timers/promises"
import { Egress } from "../../../src/services/Egress.ts"
import type { TaskId } from "../../../src/services/Ids.ts"
import type { NetworkLog } from "../../../src/services/NetworkLog.ts"
import type { Network } from "../../../src/services/Task.ts"
import { egressLayer, openWay, TestInternet } from "../../support/egress.ts"
import { clientHello, connectRequest, Listener, openTunnel, say, sayInTunnel } from "../../support/egressClient.ts"

const host = "files.example.com"
const allowed: Network = { mode: "allowlist", hosts: [host] }
const publicAddress = "93.184.216.34"

interface Stage {
  readonly internet: TestInternet
  readonly upstream: Listener
  readonly socket: string
  readonly taskId: TaskId
  readonly refusals: () => Effect.Effect<ReadonlyArray<{ readonly host: string; readonly reason: string }>>
}

/** A sandbox with one allowed host, whose public address leads to a listener. */
const test = (
  name: string,
  play: (stage: Stage) => Effect.Effect<void, unknown, Egress | NetworkLog>,
  network = allowed
) =>
  it.scopedLive(name, () => {
    const internet = new TestInternet()
    const upstream = new Listener()
    return Effect.gen(function* () {
      internet.name(host, [publicAddress])
      internet.port = yield* Effect.promise(() => upstream.listen())
      yield* Effect.addFinalizer(() => Effect.sync(() => upstream.close()))
      const { socket, task, way } = yield* openWay(network)
      yield* play({ internet, upstream, socket, taskId: task.id, refusals: () => way.refusals })
    }).pipe(Effect.provide(egressLayer(internet)))
  })

const wait = <A>(promise: () => Promise<A>) => Effect.promise(promise)

const untouched = ({ internet, upstream }: Stage) => {
  assert.deepStrictEqual(internet.dialled, [])
  assert.strictEqual(upstream.connections, 0)
}

describe("a tunnel", () => {
  test("leads to the host it was asked for, at the address that was checked", (stage) =>
    Effect.gen(function* () {
      const hello = yield* wait(() => clientHello(host))
      const { line, text } = yield* wait(() => sayInTunnel(stage.socket, `${host}:443`, hello))
      assert.strictEqual(line, "HTTP/1.1 200 Connection established")
      assert.strictEqual(text, "hello from upstream")
      assert.deepStrictEqual(Buffer.concat(stage.upstream.got), hello)
      assert.deepStrictEqual(stage.internet.dialled, [`${publicAddress}:443`])
    }))

  // Seen to fail with hosts compared by their beginning or end.
  test("is refused for names that only look allowed", (stage) =>
    Effect.gen(function* () {
      const nul = yield* wait(() => say(stage.socket, connectRequest(`evil.net\0.${host}:443`)))
      assert.match(nul.line, /^HTTP\/1.1 400 /)
      for (const authority of [`${host}.evil.net:443`, `${host}.:443`, `x.${host}:443`, `*.example.com:443`]) {
        const { line } = yield* wait(() => say(stage.socket, connectRequest(authority)))
        assert.match(line, /^HTTP\/1.1 403 /, authority)
      }
      untouched(stage)
      assert.deepStrictEqual(stage.internet.lookedUp, [])
    }))

  test("is allowed in other letters, which are made one spelling before anything else", (stage) =>
    Effect.gen(function* () {
      const { line } = yield* wait(() => openTunnel(stage.socket, `FILES.Example.COM:443`))
      assert.match(line, /^HTTP\/1.1 200 /)
      assert.deepStrictEqual(stage.internet.lookedUp, [host])
    }))

  // Seen to fail, in mode `open`, with a grammar of names that lets the last label begin with a digit.
  test(
    "leads to no address, in whatever notation",
    (stage) =>
      Effect.gen(function* () {
        for (const name of [
          "[::ffff:a9fe:a9fe]",
          "[::1]",
          "2852039166",
          "0x7f.1",
          "0x7f000001",
          "127.1",
          "0177.0.0.1",
          "169.254.169.254",
          "169.254.169.254.",
          "localhost"
        ]) {
          stage.internet.name(name, [publicAddress])
          const { line } = yield* wait(() => say(stage.socket, connectRequest(`${name}:443`)))
          assert.match(line, /^HTTP\/1.1 40[03] /, name)
        }
        untouched(stage)
      }),
    { mode: "open", hosts: [] }
  )

  // Seen to fail with the check of the addresses out, with `some` in place of `every`, and with a second lookup to dial.
  test("is dialled to none but public addresses", (stage) =>
    Effect.gen(function* () {
      for (const answer of [
        [publicAddress, "10.0.0.5"],
        ["10.0.0.5"],
        ["169.254.169.254"],
        ["::ffff:169.254.169.254"],
        ["100.64.0.1"],
        ["64:ff9b::a9fe:a9fe"],
        ["2002:a9fe:a9fe::1"],
        ["fd00:ec2::254"],
        ["168.63.129.16"],
        ["192.0.0.192"]
      ]) {
        stage.internet.name(host, answer)
        const { line } = yield* wait(() => say(stage.socket, connectRequest(`${host}:443`)))
        assert.match(line, /^HTTP\/1.1 403 .*not of the public internet/, answer.join())
      }
      untouched(stage)
      stage.internet.name(host, [publicAddress], ["10.0.0.5"])
      yield* wait(() => openTunnel(stage.socket, `${host}:443`))
      assert.deepStrictEqual(stage.internet.dialled, [`${publicAddress}:443`])
    }))

  // Seen to fail with the comparison of the port out.
  test("leads to port 443 alone", (stage) =>
    Effect.gen(function* () {
      for (const port of ["22", "25", "80", "6443", "0", "0443", "65979", ""]) {
        const { line } = yield* wait(() => say(stage.socket, connectRequest(`${host}:${port}`)))
        assert.match(line, /^HTTP\/1.1 40[03] /, port)
      }
      untouched(stage)
    }))

  // Seen to fail, case by case, with each of the four lines of `faultOf` out.
  test("carries TLS to its own host and nothing else", (stage) =>
    Effect.gen(function* () {
      const [other, none, right] = yield* wait(() =>
        Promise.all([clientHello("other.example.com"), clientHello(undefined), clientHello(host)])
      )
      for (const [words, reason] of [
        ["SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "only TLS"],
        [`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, "only TLS"],
        [other, "another server"],
        [none, "names no server"],
        [helloFor("a".repeat(300)), "another server"],
        [helloFor(`${host}\0.evil.net`), "another server"],
        [withEncryptedHello(right), "ECH"]
      ] as const) {
        const { line, text } = yield* wait(() => sayInTunnel(stage.socket, `${host}:443`, words))
        assert.match(line, /^HTTP\/1.1 200 /)
        assert.strictEqual(text, "")
        assert.include((yield* stage.refusals())[0]?.reason, reason)
      }
      assert.deepStrictEqual(stage.upstream.got, [])
    }))

  // Seen to fail with the deadline of the first words out.
  test("is closed when its first words are too slow", (stage) =>
    Effect.gen(function* () {
      const hello = yield* wait(() => clientHello(host))
      const { socket } = yield* wait(() => openTunnel(stage.socket, `${host}:443`))
      const began = performance.now()
      for (const byte of hello) {
        if (socket.closed) break
        socket.write(Buffer.from([byte]))
        yield* wait(() => sleep(30))
      }
      assert.isTrue(socket.closed)
      assert.isBelow(performance.now() - began, 9_000)
      assert.deepStrictEqual(stage.upstream.got, [])
    }))

  test("may say its first words in small pieces", (stage) =>
    Effect.gen(function* () {
      const hello = yield* wait(() => clientHello(host))
      const { socket } = yield* wait(() => openTunnel(stage.socket, `${host}:443`))
      for (const byte of hello) socket.write(Buffer.from([byte]))
      const [answer] = yield* wait(
        () => new Promise<[Buffer]>((resolve) => socket.once("data", (data) => resolve([data])))
      )
      assert.strictEqual(answer.toString(), "hello from upstream")
    }))

  // Seen to fail with any number of records: each byte more took the server half a millisecond, 16 KiB of them seconds.
  test("is closed when its first words come in more records than any client sends", (stage) =>
    Effect.gen(function* () {
      const hello = helloFor(host).subarray(5)
      const inRecords = (size: number) =>
        Buffer.concat(
          Array.from({ length: Math.ceil(hello.length / size) }, (_, n) => {
            const piece = hello.subarray(n * size, (n + 1) * size)
            return Buffer.concat([Buffer.from([22, 3, 1]), sized(2, piece)])
          })
        )
      const few = yield* wait(() => sayInTunnel(stage.socket, `${host}:443`, inRecords(10)))
      assert.strictEqual(few.text, "hello from upstream")
      const many = yield* wait(() => sayInTunnel(stage.socket, `${host}:443`, inRecords(1)))
      assert.strictEqual(many.text, "")
      assert.deepInclude((yield* stage.refusals())[0], { reason: "only TLS goes through a tunnel" })
    }))

  test("can be had once its host is allowed, without a new sandbox", (stage) =>
    Effect.gen(function* () {
      stage.internet.name("more.example.com", [publicAddress])
      const refused = yield* wait(() => say(stage.socket, connectRequest("more.example.com:443")))
      assert.match(refused.line, /403 .*more\.example\.com.*not on the list.*POST/)
      assert.deepInclude((yield* stage.refusals())[0], { host: "more.example.com" })
      yield* Effect.flatMap(Egress, (egress) => egress.allow(stage.taskId, "more.example.com"))
      const { line } = yield* wait(() => openTunnel(stage.socket, "more.example.com:443"))
      assert.match(line, /^HTTP\/1.1 200 /)
    }))

  test(
    "leads nowhere without a network",
    (stage) =>
      Effect.gen(function* () {
        const { line } = yield* wait(() => say(stage.socket, connectRequest(`${host}:443`)))
        assert.match(line, /403 .*files\.example\.com.*mode is none/)
        untouched(stage)
      }),
    { mode: "none", hosts: [] }
  )
})

const sized = (size: 1 | 2 | 3, ...pieces: ReadonlyArray<Buffer>): Buffer => {
  const body = Buffer.concat(pieces)
  const length = Buffer.alloc(size)
  length.writeUIntBE(body.length, 0, size)
  return Buffer.concat([length, body])
}

/** A hello that no TLS library would send. */
const helloFor = (name: string): Buffer => {
  const serverName = Buffer.concat([
    Buffer.from([0, 0]),
    sized(2, sized(2, Buffer.from([0]), sized(2, Buffer.from(name))))
  ])
  const hello = [
    Buffer.from([3, 3]),
    Buffer.alloc(32),
    sized(1),
    sized(2, Buffer.from([0x13, 1])),
    sized(1, Buffer.from([0]))
  ]
  const handshake = Buffer.concat([Buffer.from([1]), sized(3, ...hello, sized(2, serverName))])
  return Buffer.concat([Buffer.from([22, 3, 1]), sized(2, handshake)])
}

/** The same hello with an empty extension that announces an encrypted one. */
const withEncryptedHello = (hello: Buffer): Buffer => {
  const extension = Buffer.from([0xfe, 0x0d, 0, 0])
  const bytes = Buffer.concat([hello, extension])
  const grow = (at: number, size: number) => bytes.writeUIntBE(bytes.readUIntBE(at, size) + extension.length, at, size)
  grow(3, 2)
  grow(6, 3)
  const session = bytes[43] ?? 0
  const suites = 44 + session
  const compressions = suites + 2 + bytes.readUInt16BE(suites)
  grow(compressions + 1 + (bytes[compressions] ?? 0), 2)
  return bytes
}
