/** Secrets in real containers: real clients, the proxy, and a host with TLS of its own on loopback. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as SecretInterception from "../../src/layers/SecretInterception.ts"
import type { Secret } from "../../src/services/Secrets.ts"
import { Sandbox, type SandboxHandle } from "../../src/services/Sandbox.ts"
import { dockerSandboxWithEgress } from "../support/dockerSandbox.ts"
import { egressLayer, runningTask, TestInternet } from "../support/egress.ts"
import { describeWithEngine } from "../support/engine.ts"
import { upstreamHost } from "../support/interceptedHost.ts"
import { secretOf } from "../support/secretsContract.ts"

const host = "api.example.com"
const elsewhere = "other.example.net"
const value = "canary-value-of-the-api-key"
const secret = secretOf("API_KEY", value, host)

/** Both names lead to one server, which has a certificate for the first. */
const stage = Effect.gen(function* () {
  const upstream = yield* upstreamHost(host)
  const internet = new TestInternet()
  internet.port = upstream.port
  internet.name(host, ["93.184.216.34"])
  internet.name(elsewhere, ["93.184.216.35"])
  const egress = egressLayer(internet).pipe(Layer.provide(SecretInterception.layerWith([upstream.root])))
  const layer = dockerSandboxWithEgress("test-secrets").pipe(Layer.provideMerge(egress))
  return { ...upstream, layer }
})

const open = Effect.fnUntraced(function* (secrets: ReadonlyArray<Secret>) {
  const sandbox = yield* Sandbox
  const { id, network } = yield* runningTask({ mode: "allowlist", hosts: [elsewhere] })
  return yield* sandbox.open({ taskId: id, run: 1, network, secrets })
})

const outputOf = (handle: SandboxHandle, script: string) =>
  Effect.map(
    handle.run({ argv: ["bash", "-c", script], timeoutMs: 60_000, outputLimit: 100_000 }),
    ({ output }) => output
  )

/** Node of this age knows no proxy by itself. */
const withNode = `node -e '
  const door = new URL(process.env.HTTPS_PROXY)
  require("http").request({ host: door.hostname, port: door.port, method: "CONNECT", path: "${host}:443" }).on("connect", (_, socket) => {
    const tunnel = require("tls").connect({ socket, servername: "${host}" })
    tunnel.write("GET /node HTTP/1.1\\r\\nhost: ${host}\\r\\nx-api-key: " + process.env.API_KEY + "\\r\\nconnection: close\\r\\n\\r\\n")
    tunnel.pipe(process.stdout)
  }).end()'`

const withPython = `python3 -c '
import os, urllib.request
asked = urllib.request.Request("https://${host}/python", headers={"x-api-key": os.environ["API_KEY"]})
print(urllib.request.urlopen(asked).read().decode())'`

describeWithEngine("a secret in a sandbox", () => {
  // Seen to fail with the value in the variable.
  it.scopedLive("is a placeholder inside, and the value at its host, whichever client asks", () =>
    Effect.gen(function* () {
      const { layer, seen } = yield* stage
      const output = yield* Effect.gen(function* () {
        const handle = yield* open([secret])
        const curl = `curl -sS -u "me:$API_KEY" https://${host}/curl?key=$API_KEY`
        return yield* outputOf(handle, [`echo "inside: $API_KEY"`, curl, withNode, withPython].join("; echo; "))
      }).pipe(Effect.provide(layer))
      assert.notInclude(output, "canary")
      assert.match(output, /inside: errand_placeholder_[0-9a-f]+/)
      assert.deepStrictEqual(
        seen.map(({ headers, url }) => [url, headers["x-api-key"], headers.authorization]),
        [
          [`/curl?key=${value}`, undefined, `Basic ${Buffer.from(`me:${value}`).toString("base64")}`],
          ["/node", value, undefined],
          ["/python", value, undefined]
        ]
      )
      // Each was told its own placeholder by the host that repeats what it gets.
      assert.lengthOf([...output.matchAll(/"x-api-key":"errand_placeholder_/g)], 2)
    })
  )

  // Seen to fail with the value in the variable, and with every host wanted by the interceptor.
  it.scopedLive("stays a placeholder on its way to another host, in a tunnel that nobody looks into", () =>
    Effect.gen(function* () {
      const { layer, seen } = yield* stage
      const output = yield* Effect.gen(function* () {
        const handle = yield* open([secret])
        const curl = `curl -sSkv -H "x-api-key: $API_KEY" https://${elsewhere}/ 2>&1`
        return yield* outputOf(handle, curl)
      }).pipe(Effect.provide(layer))
      // The certificate is the host's own.
      assert.include(output, "issuer: CN=the test's own root")
      assert.match(String(seen[0]?.headers["x-api-key"]), /^errand_placeholder_/)
      assert.lengthOf(seen, 1)
    })
  )

  it.scopedLive("is believed in by its own sandbox alone, and reached from no other", () =>
    Effect.gen(function* () {
      const { layer, seen } = yield* stage
      const [own, other, none] = yield* Effect.gen(function* () {
        const certificate = "cat $NODE_EXTRA_CA_CERTS"
        const first = yield* open([secret])
        const second = yield* open([secret])
        const without = yield* open([])
        const authority = yield* outputOf(first, certificate)
        const believes = (handle: SandboxHandle) =>
          Effect.map(
            handle.run({
              argv: ["bash", "-c", "openssl verify -CAfile ${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}"],
              stdin: Buffer.from(authority),
              timeoutMs: 20_000,
              outputLimit: 4_096
            }),
            ({ exitCode }) => exitCode === 0
          )
        const reached = yield* outputOf(without, `curl -sS https://${host}/ 2>&1; env`)
        assert.notInclude(reached, "errand_placeholder_")
        assert.include(reached, "403")
        return yield* Effect.all([believes(first), believes(second), believes(without)])
      }).pipe(Effect.provide(layer))
      assert.deepStrictEqual([own, other, none], [true, false, false])
      assert.isEmpty(seen)
    })
  )
})
