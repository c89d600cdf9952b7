/** Other OCI runtimes than runc, on an engine that has them: what is asked for runs, with all walls, or nothing does. */
import { assert, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { afterAll, beforeAll } from "vitest"
import { runProbe } from "../../src/sandbox/probe/probe.ts"
import { Sandbox } from "../../src/services/Sandbox.ts"
import { dockerSandbox, limits } from "../support/dockerSandbox.ts"
import { describeWithOwnEngine } from "../support/engine.ts"
import { OwnEngine } from "../support/ownEngine.ts"
import { bytesOf, failureOf, openSandbox, sh, talksToItself, textOf, wholeFile } from "../support/sandboxContract.ts"

const server = "test-runtimes"
const runtimes = ["crun", "runsc"]

const build = `
set -e
git init -q . && git config user.name a && git config user.email a@b.c
printf '#include <stdio.h>\\nint main() { puts("built"); }' > main.c
gcc main.c -o main && ./main
node -e 'console.log(require("child_process").execSync("echo spawned").toString().trim())'
git add main.c && git commit -qm one && git log --oneline | wc -l`

describeWithOwnEngine("an engine with more than one runtime", runtimes, () => {
  const engine = new OwnEngine(runtimes)
  const layerOf = (runtime: string) =>
    dockerSandbox(server, {
      runtime: Option.some(runtime),
      dockerHost: Option.some(engine.address),
      limits: { ...limits, diskBytes: 256 * 2 ** 20 }
    })

  beforeAll(() => engine.prepare())
  afterAll(() => engine.dispose())

  for (const runtime of runtimes) {
    // Seen to fail with the runtime left out of the request.
    it.scopedLive(
      `runs sandboxes with ${runtime} when that is asked for, behind the same walls`,
      () =>
        Effect.gen(function* () {
          const handle = yield* openSandbox
          const [container] = yield* Effect.promise(() => engine.docker.listContainers())
          const inspected = yield* Effect.promise(() => engine.docker.getContainer(container?.Id ?? "").inspect())
          assert.strictEqual(Reflect.get(inspected.HostConfig, "Runtime"), runtime)
          const report = yield* Effect.orDie(runProbe(handle))
          const { KernelVersion } = yield* Effect.promise(() => engine.docker.info())
          if (runtime === "crun") assert.deepStrictEqual([report.kernel, report.openings], [KernelVersion, []])
          else assert.notStrictEqual(report.kernel, KernelVersion)

          yield* talksToItself(handle, "localhost")
          const { output } = yield* handle.run(sh(build, { timeoutMs: 100_000 }))
          assert.strictEqual(output, "built\nspawned\n1\n")
          yield* handle.writeFile("file", bytesOf("text"))
          assert.strictEqual(textOf((yield* handle.readFile("file", wholeFile)).bytes), "text")
          assert.strictEqual((yield* handle.run(sh("sleep 60", { timeoutMs: 1_000 }))).exitCode, 124)
          const full = yield* handle.run(sh("head -c 300000000 /dev/zero > big", { timeoutMs: 100_000 }))
          assert.include(full.output, "No space left on device")
          assert.notStrictEqual((yield* handle.run(sh("ls /sys/class/net | grep -v lo"))).exitCode, 0)
          assert.notStrictEqual((yield* handle.run(sh("touch /etc/x"))).exitCode, 0)
        }).pipe(Effect.provide(layerOf(runtime))),
      120_000
    )
  }

  // Seen to fail without the check of the runtime: the server says that it is ready then.
  it.scopedLive("says so when it has not the one that is asked for, and runs nothing", () =>
    Effect.gen(function* () {
      const { health } = yield* Sandbox
      const { detail, ready } = yield* health
      assert.isFalse(ready)
      assert.include(detail, `has no runtime "kata"`)
      assert.include((yield* failureOf(openSandbox)).message, `has no runtime "kata"`)
      assert.isEmpty(yield* Effect.promise(() => engine.docker.listContainers({ all: true })))
    }).pipe(Effect.provide(layerOf("kata")))
  )
})
