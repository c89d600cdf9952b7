/**
 * Registries, attacked from inside a sandbox. Above each test: the protection that was taken out to see it fail.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { connect } from "node:net"
import { once } from "node:events"
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"
import { gzipSync } from "node:zlib"
import type { Network } from "../../../src/services/Task.ts"
import type { RegistryName } from "../../../src/services/Registries.ts"
import { egressLayer, openWay, registriesAt, TestInternet } from "../../support/egress.ts"
import { say } from "../../support/egressClient.ts"

/** A registry on loopback that remembers what it was asked. */
class Upstream {
  readonly got: Array<IncomingMessage> = []
  url = ""
  answer: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => response.end("a package")
  readonly #server: Server = createServer((asked, response) => {
    this.got.push(asked)
    this.answer(asked, response)
  })

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1")
    await once(this.#server, "listening")
    const address = this.#server.address()
    this.url = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  get paths(): ReadonlyArray<string | undefined> {
    return this.got.map(({ url }) => url)
  }
}

interface Stage {
  readonly upstream: Upstream
  readonly socket: string
  /** Opens a second sandbox of another task. */
  readonly another: Effect.Effect<string>
  readonly refusals: Effect.Effect<ReadonlyArray<{ readonly host: string; readonly reason: string }>>
}

const packages: Network = { mode: "registries", hosts: [] }

const test = (name: string, play: (stage: Stage) => Effect.Effect<void, unknown, Scope.Scope>, network = packages) =>
  it.scopedLive(
    name,
    () => {
      const upstream = new Upstream()
      return Effect.gen(function* () {
        yield* Effect.promise(() => upstream.listen())
        yield* Effect.addFinalizer(() => Effect.sync(() => upstream.close()))
        const names: ReadonlyArray<RegistryName> = ["npm", "pypi", "crates", "go", "debian"]
        const registries = registriesAt(Object.fromEntries(names.map((name) => [name, `${upstream.url}/${name}`])))
        yield* Effect.gen(function* () {
          const { socket, way } = yield* openWay(network)
          const context = yield* Effect.context<Effect.Effect.Context<ReturnType<typeof openWay>>>()
          const another = Effect.map(openWay(network), (other) => other.socket).pipe(
            Effect.provide(context),
            Effect.orDie
          )
          yield* play({ upstream, socket, another, refusals: way.refusals })
        }).pipe(Effect.provide(egressLayer(new TestInternet(), registries)))
      })
      // Megabytes in small requests take Node 22 eleven seconds.
    },
    60_000
  )

const wait = <A>(promise: () => Promise<A>) => Effect.promise(promise)

interface Reply {
  readonly status: number
  readonly headers: IncomingMessage["headers"]
  readonly text: string
}

const ask = (
  { socket }: Pick<Stage, "socket">,
  path: string,
  { body, headers = {}, method = "GET" }: { method?: string; headers?: Record<string, string>; body?: string } = {}
) =>
  wait(
    () =>
      new Promise<Reply>((resolve, reject) => {
        const asking = request({ socketPath: socket, path, method, headers }, (response) => {
          let text = ""
          response.on("data", (piece: Buffer) => (text += piece.toString("latin1")))
          response.on("error", reject)
          response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
        })
        asking.on("error", reject)
        asking.end(body)
      })
  )

const until = async (condition: () => boolean) => {
  for (let turn = 0; turn < 500 && !condition(); turn++) await sleep(10)
}

const get = (target: string, headers = "") => `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n${headers}\r\n`

describe("a registry", () => {
  test("is read at the paths that its clients use", (stage) =>
    Effect.gen(function* () {
      for (const [path, upstream] of [
        ["http://registry.npmjs.org/left-pad", "/npm/left-pad"],
        ["/npm/@types%2fnode", "/npm/@types%2fnode"],
        ["/npm/@types/node/-/node-20.1.0.tgz", "/npm/@types/node/-/node-20.1.0.tgz"],
        ["/npm/left-pad/1.3.0", "/npm/left-pad/1.3.0"],
        ["/pypi/simple/six/", "/pypi/simple/six/"],
        ["/pypi/pypi/six/1.17.0/json", "/pypi/pypi/six/1.17.0/json"],
        [
          "/pypi-files/packages/b7/ce/149a/six-1.17.0-py2.py3-none-any.whl",
          "/packages/b7/ce/149a/six-1.17.0-py2.py3-none-any.whl"
        ],
        ["/crates/config.json", "/crates/config.json"],
        ["/crates/se/rd/serde", "/crates/se/rd/serde"],
        ["/crates/3/l/log", "/crates/3/l/log"],
        ["/crates-files/api/v1/crates/serde/1.0.0/download", "/api/v1/crates/serde/1.0.0/download"],
        ["/go/github.com/!burnt!sushi/toml/@v/v1.4.0.zip", "/go/github.com/!burnt!sushi/toml/@v/v1.4.0.zip"],
        ["/go/golang.org/x/text/@latest", "/go/golang.org/x/text/@latest"],
        ["/go/sumdb/sum.golang.org/supported", "/go/sumdb/sum.golang.org/supported"],
        ["/go/sumdb/sum.golang.org/tile/8/0/x001/234", "/go/sumdb/sum.golang.org/tile/8/0/x001/234"],
        ["http://deb.debian.org/debian/dists/bookworm/InRelease", "/debian/debian/dists/bookworm/InRelease"],
        [
          "http://deb.debian.org/debian/pool/main/g/g%2b%2b/a_1%7ebeta.deb",
          "/debian/debian/pool/main/g/g++/a_1~beta.deb"
        ],
        ["http://127.0.0.1:3128/npm/left-pad", "/npm/left-pad"]
      ] as const) {
        stage.upstream.got.length = 0
        const { status, text } = yield* ask(stage, path)
        assert.deepStrictEqual([path, status, text], [path, 200, "a package"])
        // Of a base that ends as the paths of its kind begin, only one of the two is asked for.
        assert.deepStrictEqual(stage.upstream.paths, [upstream.replace("/debian/debian/", "/debian/")])
      }
    }))

  // Seen to fail with the client's headers passed on.
  test("gets nothing of the client's own words", (stage) =>
    Effect.gen(function* () {
      yield* ask(stage, "/npm/left-pad", {
        headers: {
          authorization: "Bearer npm_canary",
          cookie: "canary",
          "x-anything": "canary",
          "user-agent": "canary",
          "npm-session": "canary",
          accept: "application/vnd.npm.install-v1+json; canary",
          "if-none-match": '"canary\\"',
          referer: "canary"
        }
      })
      const [asked] = stage.upstream.got
      assert.strictEqual(asked?.headers.accept, "application/vnd.npm.install-v1+json")
      assert.notInclude(JSON.stringify(asked?.rawHeaders), "canary")
    }))

  // Seen to fail with the check of the method out.
  test("is never written to", (stage) =>
    Effect.gen(function* () {
      for (const [method, path] of [
        ["PUT", "/npm/my-package"],
        ["PUT", "/npm/-/user/org.couchdb.user:me"],
        ["POST", "/npm/-/npm/v1/security/advisories/bulk"],
        ["POST", "/pypi/legacy/"],
        ["PUT", "/crates/api/v1/crates/new"],
        ["DELETE", "/npm/left-pad"],
        ["PATCH", "/go/x/@v/list"],
        ["PUT", "http://registry.npmjs.org/my-package"]
      ] as const) {
        const { status, text } = yield* ask(stage, path, { method, body: "{}" })
        assert.strictEqual(status, 405, path)
        assert.match(text, /can only be read/)
      }
      assert.isEmpty(stage.upstream.got)
    }))

  // Seen to fail with `notCanonical` out, and with a grammar of npm's names that has the percent sign.
  test("is asked for nothing that is not in its grammar", (stage) =>
    Effect.gen(function* () {
      for (const path of [
        "/npm/..%2f..%2fanthropic%2fv1%2ffiles",
        "/npm/left-pad/..",
        "/pypi/pypi/six/../json",
        "/npm/../go/x/@latest",
        "/npm/%2e%2e/left-pad",
        "/npm//left-pad",
        "//npm/left-pad",
        "/npm/./left-pad",
        "/npm/left-pad?write=true",
        "/npm/left-pad#x",
        "/npm/left-pad;x",
        "/npm/left-pad\\x",
        "/npm/@a%2f..%2fb",
        "/npm/-/v1/search?text=exfiltrated",
        "/npm/-/all",
        "/pypi/simple/../legacy/",
        "/pypi/simple/six/%2e%2e/",
        "/pypi-files/etc/passwd",
        "/crates/api/v1/crates?q=exfiltrated",
        "/go/sumdb/evil.example/lookup/x@v1",
        "/go/x/@v/../../y",
        "http://deb.debian.org/debian/../npm/left-pad",
        "http://deb.debian.org/debian/dists/%2e%2e/x",
        "http://deb.debian.org:8080/debian/dists/x",
        "http://user@deb.debian.org/debian/dists/x",
        "http://registry.npmjs.org.evil.net/left-pad",
        `/npm/${"a".repeat(300)}`,
        `/go/${"a/".repeat(600)}@latest`,
        "/anthropic/v1/files",
        "/git/team/project.git/info/refs",
        "/",
        "*"
      ]) {
        const { line } = yield* wait(() => say(stage.socket, get(path, "Connection: close\r\n")))
        assert.match(line, /^HTTP\/1.1 4(?:00|03|04) /, path)
      }
      assert.isEmpty(stage.upstream.got)
    }))

  // Seen to fail with other hosts than the registries' let through in absolute form.
  test("is the only thing that is served over plain HTTP", (stage) =>
    Effect.gen(function* () {
      for (const target of ["http://169.254.169.254/latest/meta-data/", `${stage.upstream.url}/npm/left-pad`]) {
        const { line } = yield* wait(() => say(stage.socket, get(target)))
        assert.match(line, /^HTTP\/1.1 403 /)
      }
      assert.isEmpty(stage.upstream.got)
    }))

  // Seen to fail with the host as it came: its name of 10 kB was an event, a line of the log and a status line.
  test("tells of a host that was asked for in few words", (stage) =>
    Effect.gen(function* () {
      const { line } = yield* wait(() => say(stage.socket, get(`ftp://${"x".repeat(10_000)}/`)))
      assert.match(line, /^HTTP\/1.1 403 /)
      assert.isBelow(line.length, 400)
    }))

  // Seen to fail with `hasBody` out (bodies), with `insecureHTTPParser` (the two lengths), with 100 MiB of headers, and with any number of them.
  test("reads no request that is too large, or that can be read in two ways", (stage) =>
    Effect.gen(function* () {
      const path = "/npm/left-pad"
      for (const [name, words, status] of [
        ["a chunk of a bad size", get(path, "Transfer-Encoding: chunked\r\n") + "zz\r\nx\r\n0\r\n\r\n", "400"],
        ["a negative size", get(path, "Transfer-Encoding: chunked\r\n") + "-1\r\nx\r\n0\r\n\r\n", "400"],
        ["two lengths", get(path, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n", "400"],
        ["two other lengths", get(path, "Content-Length: 5\r\nContent-Length: 6\r\n") + "hello", "400"],
        ["a body of 1 GB", get(path, "Content-Length: 1073741824\r\n") + "x".repeat(100_000), "400"],
        ["a header of 20 kB", get(path, `X: ${"x".repeat(20_000)}\r\n`), "431"],
        // Under 16 KiB as every version of Node counts them: it is their number that is refused.
        ["2,000 headers", get(path, "a: b\r\n".repeat(2_000)), "431"],
        ["a bare line feed", "GET /npm/left-pad HTTP/1.1\nHost: x\n\n", "400"],
        ["no host", "GET /npm/left-pad HTTP/1.1\r\n\r\n", "400"]
      ] as const) {
        const { line } = yield* wait(() => say(stage.socket, words))
        assert.match(line, new RegExp(`^HTTP/1.1 ${status} `), name)
      }
      for (const words of [get(path, `X: ${"x".repeat(1_000_000)}\r\n`), get(path, "a: b\r\n".repeat(10_000))]) {
        // Who goes on talking may be cut off before he has read the answer.
        const { line } = yield* wait(() => say(stage.socket, words))
        assert.match(line, /^(?:HTTP\/1.1 431 .*)?$/)
      }
      assert.isEmpty(stage.upstream.got)
    }))

  // Seen to fail with the listener for `upgrade` out.
  test("speaks no other protocol", (stage) =>
    Effect.gen(function* () {
      const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
      const { text } = yield* wait(() => say(stage.socket, get("/npm/left-pad", upgrade)))
      assert.strictEqual(text, "")
      assert.include((yield* stage.refusals)[0]?.reason, "Upgrade")
      assert.isEmpty(stage.upstream.got)
    }))

  // Seen to fail with `maxConnections` out.
  test("has room for one task's connections and for another's beside them", (stage) =>
    Effect.gen(function* () {
      const open = Array.from({ length: 5_000 }, () => connect({ path: stage.socket }).on("error", () => {}))
      yield* Effect.addFinalizer(() => Effect.sync(() => open.forEach((socket) => socket.destroy())))
      const other = yield* stage.another
      assert.strictEqual((yield* ask({ socket: other }, "/npm/left-pad")).status, 200)
      yield* Effect.sleep("1 second")
      assert.isAtMost(open.filter((socket) => !socket.closed).length, 256)
      assert.strictEqual((yield* ask({ socket: other }, "/npm/left-pad")).status, 200)
    }))

  // Seen to fail with the budget of what is sent to a registry out.
  test("is no place to send much to", (stage) =>
    Effect.gen(function* () {
      const path = `/go/${`${"a".repeat(120)}/`.repeat(7)}@latest`
      const socket = connect({ path: stage.socket })
      socket.resume().on("error", () => {})
      const closed = new Promise((resolve) => socket.on("close", resolve))
      for (let sent = 0; sent < 5_500 && !socket.closed; sent += 50) {
        socket.write(get(path).repeat(50))
        yield* wait(() => Promise.race([closed, until(() => stage.upstream.got.length >= sent + 50)]))
      }
      yield* wait(() => closed)
      assert.isAbove(stage.upstream.got.length, 4_000)
      assert.isBelow(stage.upstream.got.length * path.length, 5_000_000)
      assert.include((yield* stage.refusals)[0]?.reason, "as many bytes")
    }))

  // Seen to fail with the bound on requests out.
  test("works on a bounded number of requests at once", (stage) =>
    Effect.gen(function* () {
      stage.upstream.answer = () => {}
      const { text } = yield* wait(() => say(stage.socket, get("/go/x/@latest").repeat(2_000)))
      assert.strictEqual(text, "")
      assert.isAtMost(stage.upstream.got.length, 512)
    }))

  test("leads through the proxy wherever its documents name an address", (stage) =>
    Effect.gen(function* () {
      const { url } = stage.upstream
      stage.upstream.answer = ({ url: path = "" }, response) => {
        const document = path.startsWith("/npm")
          ? `{"dist":{"tarball":"${url}/npm/left-pad/-/left-pad-1.3.0.tgz"}}`
          : path.startsWith("/crates")
            ? `{"dl":"${url}/api/v1/crates","api":"${url}"}`
            : `<a href="${url}/packages/six.whl">six</a><a href="/packages/six.zip">six</a>`
        response.setHeader("content-encoding", "gzip").end(gzipSync(document))
      }
      const bodyOf = (path: string, headers = {}) => Effect.map(ask(stage, path, { headers }), ({ text }) => text)
      const npm = { "user-agent": "npm/10.8.2 node/v20.20.0 linux x64" }
      const tarball = "left-pad/-/left-pad-1.3.0.tgz"
      assert.include(yield* bodyOf("/npm/left-pad"), `"http://127.0.0.1:3128/npm/${tarball}"`)
      assert.include(yield* bodyOf("http://registry.npmjs.org/left-pad"), `"http://registry.npmjs.org/${tarball}"`)
      assert.include(
        yield* bodyOf("http://registry.npmjs.org/left-pad", npm),
        `"https://registry.npmjs.org/${tarball}"`
      )
      assert.include(yield* bodyOf("/crates/config.json"), `"dl":"http://127.0.0.1:3128/crates-files/api/v1/crates"`)
      assert.strictEqual(
        yield* bodyOf("/pypi/simple/six/"),
        `<a href="http://127.0.0.1:3128/pypi-files/packages/six.whl">six</a><a href="http://127.0.0.1:3128/pypi-files/packages/six.zip">six</a>`
      )
    }))

  // Seen to fail with redirects passed on as they come.
  test("sends nobody elsewhere", (stage) =>
    Effect.gen(function* () {
      let location = "http://169.254.169.254/latest/"
      stage.upstream.answer = (_, response) => response.writeHead(302, { location }).end()
      assert.strictEqual((yield* ask(stage, "/npm/left-pad")).status, 403)
      location = "/pypi-of-another/"
      assert.strictEqual(
        (yield* ask(stage, "/pypi/simple/Six/")).headers.location,
        "http://127.0.0.1:3128/pypi-files/pypi-of-another/"
      )
    }))

  test("breaks off where the registry does", (stage) =>
    Effect.gen(function* () {
      stage.upstream.answer = (_, response) => {
        response.writeHead(200, { "content-length": "1000" })
        response.write("half")
        setTimeout(() => response.destroy(), 20)
      }
      const { text } = yield* wait(() => say(stage.socket, get("/npm/left-pad/-/left-pad-1.3.0.tgz")))
      assert.match(text, /content-length: 1000[^]*half$/)
    }))

  test(
    "is not there without a network, and every client is told why",
    (stage) =>
      Effect.gen(function* () {
        const { line, text } = yield* wait(() => say(stage.socket, get("/pypi/simple/six/")))
        assert.match(line, /^HTTP\/1.1 403 .*mode is none.*pypi.*Start a task with the network mode registries/)
        assert.include(text, '{"error":"')
        assert.isEmpty(stage.upstream.got)
      }),
    { mode: "none", hosts: [] }
  )
})
