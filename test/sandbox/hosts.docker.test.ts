/** A sandbox finds itself by name, whoever has made its network: the kernel, or an engine that can't see our file. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { containersOf, docker, dockerSandbox } from "../support/dockerSandbox.ts"
import { describeWithEngine } from "../support/engine.ts"
import { failureOf, openSandbox, sh, talksToItself, testIn } from "../support/sandboxContract.ts"

const server = "test-hosts"

/** Whether the engine has made a network for the only sandbox of the server. */
const hasNetworkOfEngine = Effect.gen(function* () {
  const [container] = yield* containersOf(server)
  const { Config } = yield* Effect.promise(() => docker.getContainer(container?.Id ?? "").inspect())
  return Reflect.get(Config, "NetworkDisabled") !== true
})

describeWithEngine("names in a sandbox", () => {
  const test = testIn(dockerSandbox(server))

  // Seen to fail without the file: then no name is found.
  test("are those of itself, and nobody can change them", (handle) =>
    Effect.gen(function* () {
      assert.isFalse(yield* hasNetworkOfEngine)
      yield* talksToItself(handle, "localhost")
      yield* talksToItself(handle, "sandbox")
      assert.notStrictEqual((yield* handle.run(sh("echo 10.0.0.1 other >> /etc/hosts"))).exitCode, 0)
      assert.notStrictEqual((yield* handle.run(sh("mount --bind /dev/null /etc/hosts"))).exitCode, 0)
    }))

  // Seen to fail without the second way: then each opening is refused.
  it.scopedLive("are found where the engine does not see the file of the server", () =>
    Effect.gen(function* () {
      yield* Effect.scoped(openSandbox)
      rmSync(join(tmpdir(), `errand-${server}`, "hosts"))
      assert.include((yield* failureOf(openSandbox)).message, "hosts")
      const handle = yield* openSandbox
      assert.isTrue(yield* hasNetworkOfEngine)
      yield* talksToItself(handle, "localhost")
    }).pipe(Effect.provide(dockerSandbox(server)))
  )
})
