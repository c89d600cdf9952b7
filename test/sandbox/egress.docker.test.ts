/** The only way out of a real container: the forwarder inside, the mounted socket, the proxy. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Sandbox, type SandboxHandle } from "../../src/services/Sandbox.ts"
import { dockerSandboxWithEgress } from "../support/dockerSandbox.ts"
import { egressLayer, runningTask, TestInternet } from "../support/egress.ts"
import { describeWithEngine } from "../support/engine.ts"

const layer = dockerSandboxWithEgress("test-egress").pipe(Layer.provideMerge(egressLayer(new TestInternet())))

const open = Effect.gen(function* () {
  const sandbox = yield* Sandbox
  const { id, network } = yield* runningTask({ mode: "registries", hosts: [] })
  return yield* sandbox.open({ taskId: id, run: 1, network })
})

const outputOf = (handle: SandboxHandle, script: string) =>
  Effect.map(
    handle.run({ argv: ["bash", "-c", script], timeoutMs: 60_000, outputLimit: 100_000 }),
    ({ output }) => output
  )

describeWithEngine("the network of a sandbox", () => {
  it.scopedLive("tells a command and the server what is refused", () =>
    Effect.gen(function* () {
      const handle = yield* open
      const output = yield* outputOf(handle, "curl -sSv https://evil.example.com/ 2>&1")
      assert.match(output, /403 Errand lets nothing through to evil\.example\.com: .*network\/hosts/)
      const [first, ...others] = yield* handle.refusals
      assert.deepInclude(first, { host: "evil.example.com", reason: "the host is not on the list of this task" })
      assert.isEmpty(others)
      assert.isEmpty(yield* handle.refusals)
    }).pipe(Effect.provide(layer))
  )

  // Seen to fail with the container on the engine's default bridge.
  it.scopedLive("has no other way", () =>
    Effect.gen(function* () {
      const handle = yield* open
      const script = `
        ls /sys/class/net
        for to in 1.1.1.1 172.17.0.1 169.254.169.254; do timeout 3 bash -c "</dev/tcp/$to/80" 2>/dev/null && echo "reached $to"; done
        timeout 3 bash -c 'echo x >/dev/udp/1.1.1.1/53' 2>/dev/null && echo 'sent a datagram'
        getent hosts example.com && echo 'has names'
        touch /run/errand/x 2>/dev/null && echo 'wrote beside the socket'
        rm -f /run/errand/egress.sock 2>/dev/null; ls /run/errand
      `
      assert.strictEqual(yield* outputOf(handle, script), "lo\negress.sock\n")
    }).pipe(Effect.provide(layer))
  )
})
