/** Containers come and go with their scopes, whatever happens to either. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Random, Scope, Stream } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { runnerBytes } from "../../src/sandbox/container.ts"
import { containerOptions, label } from "../../src/sandbox/containerSpec.ts"
import { Sandbox } from "../../src/services/Sandbox.ts"
import { containersOf, docker, dockerSandbox, limits, volumesOf } from "../support/dockerSandbox.ts"
import { describeWithEngine } from "../support/engine.ts"
import { someNap } from "../support/realSandboxContract.ts"
import { bytesOf, eventually, failureOf, openSandbox, sh, spec, testIn, timed } from "../support/sandboxContract.ts"

const server = "test-lifetime"
const layer = dockerSandbox(server)
const test = testIn(layer)

const noneOf = (serverId: string) => Effect.map(containersOf(serverId), (containers) => containers.length === 0)

const theContainer = Effect.flatMap(containersOf(server), ([first]) =>
  first === undefined ? Effect.dieMessage("no container") : Effect.succeed(docker.getContainer(first.Id))
)

/** A container as a server leaves it that was killed before it started one. */
const leaveBehind = (serverId: string) =>
  Effect.promise(() =>
    docker.createContainer(
      containerOptions({
        name: `errand-test-${serverId}-${someNap()}`,
        image: "errand-sandbox:latest",
        imageId: "errand-sandbox:latest",
        disk: Option.none(),
        runtime: Option.none(),
        limits,
        serverId,
        taskId: spec.taskId,
        run: 1,
        runnerBytes,
        hosts: null,
        egress: null
      })
    )
  )

describeWithEngine("a container", () => {
  it.scopedLive("goes with its scope, and its volume with it", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const handle = yield* Scope.extend(openSandbox, scope)
      yield* handle.writeFile("file", bytesOf("content"))
      const [container] = yield* containersOf(server)
      assert.deepInclude(container?.Labels, {
        "errand.server": server,
        "errand.task": spec.taskId,
        "errand.run": "1"
      })
      assert.strictEqual((yield* volumesOf(server)).length, 1)
      const [ms] = yield* timed(Scope.close(scope, Exit.void))
      assert.isBelow(ms, 3_000)
      assert.isTrue(yield* noneOf(server))
      assert.deepStrictEqual(yield* volumesOf(server), [])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("does not outlive an opening that is interrupted at any moment", () =>
    Effect.gen(function* () {
      for (let round = 0; round < 25; round++) {
        const opening = yield* Effect.fork(Effect.scoped(Effect.zipRight(openSandbox, Effect.never)))
        yield* Effect.sleep(yield* Random.nextIntBetween(0, 400))
        const [ms] = yield* timed(Fiber.interrupt(opening))
        assert.isBelow(ms, 4_000)
      }
      assert.isTrue(yield* noneOf(server))
      assert.deepStrictEqual(yield* volumesOf(server), [])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("goes when the server's connection is cut, without anybody's help", () =>
    Effect.gen(function* () {
      const container = yield* leaveBehind(server)
      const stream = yield* Effect.promise(() => container.attach({ stream: true, stdin: true, hijack: true }))
      yield* Effect.promise(() => container.start())
      assert.isFalse(yield* noneOf(server))
      stream.end()
      assert.isTrue(yield* eventually(noneOf(server)))
    })
  )

  test("that is removed by hand ends what runs in it", (handle) =>
    Effect.gen(function* () {
      const running = yield* Effect.fork(handle.run(sh("sleep 600")))
      const piping = yield* Effect.fork(Stream.runDrain(handle.pipe(["sleep", "600"], Stream.never)))
      yield* handle.run(sh("true"))
      yield* Effect.flatMap(theContainer, (container) => Effect.promise(() => container.remove({ force: true })))
      for (const end of [Effect.asVoid(Fiber.join(running)), Fiber.join(piping)]) {
        const error = yield* failureOf(Effect.timeout(end, "3 seconds"))
        assert.strictEqual(error._tag, "SandboxLost")
        assert.match(error.message, /^The sandbox was lost: its container (is gone|was killed)\.$/)
      }
      assert.strictEqual((yield* failureOf(handle.run(sh("true"))))._tag, "SandboxLost")
      assert.strictEqual((yield* failureOf(handle.writeFile("file", bytesOf(""))))._tag, "SandboxLost")
    }))

  testIn(dockerSandbox(server, {}, { silence: "400 millis" }))("that hangs is given up", (handle) =>
    Effect.gen(function* () {
      // Nothing to say is no reason, and neither is a long command that says nothing.
      yield* Effect.sleep("1 second")
      assert.strictEqual((yield* handle.run(sh("sleep 2; echo done"))).output, "done\n")
      const container = yield* theContainer
      yield* Effect.promise(() => container.pause())
      const [ms, error] = yield* timed(failureOf(handle.run(sh("true"))))
      assert.strictEqual(error._tag, "SandboxLost")
      assert.isBelow(ms, 5_000)
    })
  )

  it.scopedLive("of a former life is swept up, and nobody else's", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox
      yield* Effect.acquireRelease(leaveBehind("test-stranger"), (container) =>
        Effect.promise(() => container.remove({ force: true, v: true }))
      )
      const handle = yield* openSandbox
      yield* Effect.replicateEffect(leaveBehind(server), 3)
      yield* Effect.promise(() =>
        docker.createVolume({ Name: `errand-test-${someNap()}`, Labels: { [label.server]: server } })
      )
      assert.strictEqual(yield* sandbox.sweep, 3)
      assert.strictEqual(yield* sandbox.sweep, 0)
      assert.strictEqual((yield* containersOf("test-stranger")).length, 1)
      assert.strictEqual((yield* handle.run(sh("echo alive"))).output, "alive\n")
      // That of the living one.
      assert.strictEqual((yield* volumesOf(server)).length, 1)
    }).pipe(Effect.provide(layer))
  )
})

const healthOf = (changed: typeof layer) =>
  Effect.flatMap(Sandbox, ({ health }) => health).pipe(Effect.provide(changed))

describeWithEngine("an engine", () => {
  it.scopedLive("without the image says how to build it", () =>
    Effect.gen(function* () {
      const without = dockerSandbox(server, { image: "errand-no-such-image" })
      const error = yield* failureOf(Effect.provide(openSandbox, without))
      assert.deepInclude(error, { reason: "image" })
      assert.include(error.message, "docker build -t errand-no-such-image src/sandbox/image")
      assert.deepInclude(yield* healthOf(without), { ready: false, detail: error.message })
    })
  )

  it.scopedLive("with an image that lacks what is needed says so", () =>
    Effect.gen(function* () {
      const error = yield* failureOf(
        Effect.provide(openSandbox, dockerSandbox(server, { image: "debian:bookworm-slim" }))
      )
      assert.deepInclude(error, { reason: "image" })
      assert.include(error.message, "python3")
      assert.isTrue(yield* eventually(noneOf(server)))
    })
  )

  it.scopedLive("that does not know the runtime refuses", () =>
    Effect.gen(function* () {
      const error = yield* failureOf(
        Effect.provide(openSandbox, dockerSandbox(server, { runtime: Option.some("kata") }))
      )
      assert.deepInclude(error, { reason: "engine" })
      assert.include(error.message, `has no runtime "kata"`)
      assert.deepInclude(yield* healthOf(dockerSandbox(server, { runtime: Option.some("kata") })), {
        ready: false,
        detail: error.message
      })
    })
  )

  it.scopedLive("that is not there says how to get one", () =>
    Effect.gen(function* () {
      const absent = dockerSandbox(server, { dockerHost: Option.some("unix:///nonexistent/docker.sock") })
      const error = yield* failureOf(Effect.provide(openSandbox, absent))
      assert.deepInclude(error, { reason: "engine" })
      assert.include(error.message, "/nonexistent/docker.sock")
      assert.include(error.message, "DOCKER_HOST")
      assert.deepInclude(yield* healthOf(absent), { ready: false, detail: error.message })
      assert.deepInclude(yield* failureOf(Effect.flatMap(Sandbox, ({ sweep }) => sweep).pipe(Effect.provide(absent))), {
        reason: "engine"
      })
    })
  )

  it.scopedLive("that never answers holds nobody for long", () =>
    Effect.gen(function* () {
      const directory = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "errand-engine-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true }))
      )
      const socket = join(directory, "docker.sock")
      yield* Effect.acquireRelease(
        Effect.async<ReturnType<typeof createServer>>((resume) => {
          const hung = createServer(() => {})
          hung.listen(socket, () => resume(Effect.succeed(hung)))
        }),
        (hung) => Effect.sync(() => hung.close())
      )
      const silent = dockerSandbox(server, { dockerHost: Option.some(`unix://${socket}`) })
      const [healthMs, health] = yield* timed(healthOf(silent))
      assert.isFalse(health.ready)
      assert.isBelow(healthMs, 4_000)
      const opening = yield* Effect.fork(Effect.provide(openSandbox, silent))
      yield* Effect.sleep("200 millis")
      const [ms] = yield* timed(Fiber.interrupt(opening))
      assert.isBelow(ms, 4_000)
    })
  )
})
