/** The sandboxes that need no engine. */
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream, TestClock } from "effect"
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs"
import { spawn } from "node:child_process"
import { join } from "node:path"
import { DataDir } from "../../src/layers/DataDirLock.ts"
import * as SandboxProcess from "../../src/layers/SandboxProcess.ts"
import * as SandboxScripted from "../../src/layers/SandboxScripted.ts"
import { Sandbox, SandboxLost, SandboxUnavailable } from "../../src/services/Sandbox.ts"
import { dataDirLayer } from "../support/gitStore.ts"
import { realSandboxContract } from "../support/realSandboxContract.ts"
import {
  bytesOf,
  eventually,
  failureOf,
  openSandbox,
  sandboxContract,
  sh,
  wholeFile
} from "../support/sandboxContract.ts"
import { scriptedAnswers } from "../support/scriptedAnswers.ts"

const processLayer = SandboxProcess.layer.pipe(Layer.provideMerge(dataDirLayer), Layer.provide(NodeContext.layer))

sandboxContract("SandboxProcess", processLayer)
realSandboxContract("SandboxProcess", processLayer)
sandboxContract("SandboxScripted", SandboxScripted.layerWith(scriptedAnswers))

describe("SandboxProcess", () => {
  it.scopedLive("reads and writes files in its root only", () =>
    Effect.gen(function* () {
      const handle = yield* openSandbox
      symlinkSync("/etc", join(handle.root, "etc"))
      for (const path of ["/etc/passwd", "../home/file", "etc/passwd"]) {
        assert.deepInclude(yield* failureOf(handle.readFile(path, wholeFile)), { reason: "denied", path })
        assert.deepInclude(yield* failureOf(handle.writeFile(path, bytesOf(""))), { reason: "denied", path })
      }
    }).pipe(Effect.provide(processLayer))
  )

  it.scopedLive("removes trees that don't want to be removed", () =>
    Effect.gen(function* () {
      const root = yield* Effect.scoped(
        Effect.gen(function* () {
          const handle = yield* openSandbox
          yield* handle.run(sh("mkdir -p go/mod/x; touch go/mod/x/file; chmod -R a-w go"))
          return handle.root
        })
      )
      assert.isFalse(existsSync(root))
    }).pipe(Effect.provide(processLayer))
  )

  it.scopedLive("sweeps up what a killed server left behind, with what runs there", () =>
    Effect.gen(function* () {
      const { path } = yield* DataDir
      const left = join(path, "work", "task_01J00000000000000000000000.1.abcdef")
      mkdirSync(join(left, "root"), { recursive: true })
      writeFileSync(join(left, "root", "file"), "content")
      const orphan = yield* Effect.acquireRelease(
        Effect.sync(() => spawn("sleep", ["600"], { env: { PATH: "/usr/bin:/bin", ERRAND_COMMAND: `${left}:7:` } })),
        (child) => Effect.sync(() => child.kill("SIGKILL"))
      )
      const sandbox = yield* Sandbox
      assert.strictEqual(yield* sandbox.sweep, 1)
      assert.deepStrictEqual(readdirSync(join(path, "work")), [])
      assert.isTrue(yield* eventually(Effect.sync(() => orphan.signalCode === "SIGKILL")))
      assert.strictEqual(yield* sandbox.sweep, 0)
    }).pipe(Effect.provide(processLayer))
  )

  it.effect("says that it isolates nothing", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox
      assert.include((yield* sandbox.health).detail, "isolated from nothing")
      assert.deepStrictEqual(sandbox.networkModes, ["open"])
    }).pipe(Effect.provide(processLayer))
  )
})

describe("SandboxScripted", () => {
  it.scoped("takes its answers from expressions, with delays on the test's clock", () =>
    Effect.gen(function* () {
      const handle = yield* openSandbox
      const running = yield* Effect.fork(handle.run({ ...sh(""), argv: ["npm", "run", "test:unit"] }))
      yield* TestClock.adjust("2 seconds")
      assert.isNull(yield* Fiber.poll(running).pipe(Effect.map((exit) => (exit._tag === "None" ? null : exit.value))))
      yield* TestClock.adjust("2 seconds")
      assert.deepInclude(yield* Fiber.join(running), { exitCode: 1, output: "1 failing\n", durationMs: 3_000 })
    }).pipe(
      Effect.provide(
        SandboxScripted.layerWith({
          commands: [{ when: /^npm run test/, then: { output: "1 failing\n", exitCode: 1, after: "3 seconds" } }]
        })
      )
    )
  )

  it.scoped("can fail to open, and be lost in the middle", () =>
    Effect.gen(function* () {
      const full = new SandboxUnavailable({ reason: "refused", detail: "no room" })
      const closed = SandboxScripted.layerWith({ opening: full })
      assert.deepInclude(yield* failureOf(Effect.provide(openSandbox, closed)), {
        reason: "refused",
        detail: "no room"
      })

      const lost = new SandboxLost({ detail: "out of memory" })
      const fragile = SandboxScripted.layerWith({ commands: [{ when: "make", then: () => lost }] })
      const handle = yield* Effect.provide(openSandbox, fragile)
      assert.deepInclude(yield* failureOf(handle.run({ ...sh(""), argv: ["make"] })), { detail: "out of memory" })
      assert.deepInclude(yield* failureOf(Stream.runDrain(handle.pipe(["make"], Stream.empty))), {
        detail: "out of memory"
      })
    })
  )

  it.scoped("has the files that it is given, and commands may change them", () =>
    Effect.gen(function* () {
      const handle = yield* openSandbox
      assert.strictEqual((yield* handle.run(sh("build"))).exitCode, 0)
      assert.deepStrictEqual([...(yield* handle.readFile("dist/out", wholeFile)).bytes], [1, 2])
    }).pipe(
      Effect.provide(
        SandboxScripted.layerWith({
          files: { "src/in": Uint8Array.of(1, 2) },
          commands: [
            {
              when: "build",
              then: ({ files }) =>
                files.read("src/in", wholeFile).pipe(
                  Effect.flatMap(({ bytes }) => files.write("dist/out", bytes)),
                  Effect.as(0),
                  Effect.orElseSucceed(() => 1)
                )
            }
          ]
        })
      )
    )
  )

  it.scoped("gives every network", () =>
    Effect.gen(function* () {
      const { networkModes } = yield* Sandbox
      assert.deepStrictEqual([...networkModes], ["none", "registries", "allowlist", "open"])
    }).pipe(Effect.provide(SandboxScripted.layer))
  )
})
