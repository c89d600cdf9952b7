import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { FetchHttpClient } from "@effect/platform"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { it } from "@effect/vitest"
import { ConfigProvider, Deferred, Effect, Fiber, Layer, type Scope, TestClock } from "effect"
import { afterAll, expect } from "vitest"
import { ServerProcess } from "../../src/cli/ServerProcess.ts"
import { make as makeSignals, type Signal, Signals } from "../../src/cli/Signals.ts"
import * as IdsCounter from "../../src/layers/IdsCounter.ts"
import { shell } from "./shell.ts"

const dataDir = mkdtempSync(join(tmpdir(), "errand serve "))
afterAll(() => rmSync(dataDir, { recursive: true, force: true }))

const environment = ConfigProvider.fromMap(
  new Map([
    ["ERRAND_DATA_DIR", dataDir],
    ["ERRAND_SANDBOX", "process"],
    ["ERRAND_ALLOW_UNSANDBOXED", "true"]
  ])
)

/** Runs `errand serve` on a server that starts and stops as told; `signal` is what the operating system sends. */
const serving = Effect.fnUntraced(function* (
  line: string,
  start: Effect.Effect<{ readonly url: string }, never, Scope.Scope>
) {
  const { signals, unsafeSend } = yield* makeSignals
  const said = yield* Deferred.make<void>()
  const running = yield* shell(line, () => Deferred.succeed(said, undefined)).pipe(
    Effect.withConfigProvider(environment),
    Effect.provide(
      Layer.mergeAll(
        NodeContext.layer,
        FetchHttpClient.layer,
        IdsCounter.layer,
        Layer.succeed(Signals, signals),
        Layer.succeed(ServerProcess, { start: () => start })
      )
    ),
    Effect.fork
  )
  return {
    said: Deferred.await(said),
    signal: (signal: Signal) => Effect.sync(() => unsafeSend(signal)),
    ended: Fiber.join(running)
  }
})

const url = "http://127.0.0.1:4711"

it.effect.each([
  ["serve", /^Errand 0\.1\.0 answers at http:\/\/127\.0\.0\.1:4711\n$/],
  [
    "serve --json",
    /^\{"type":"listening","url":"http:\/\/127\.0\.0\.1:4711","publicUrl":null,"version":"0\.1\.0","pid":\d+\}\n$/
  ]
] as const)("%s says in one line where it answers, and stops in good order", ([line, announcement]) =>
  Effect.gen(function* () {
    const stopped = yield* Deferred.make<void>()
    const { ended, said, signal } = yield* serving(
      line,
      Effect.as(
        Effect.addFinalizer(() => Deferred.succeed(stopped, undefined)),
        { url }
      )
    )
    yield* said
    yield* signal("SIGHUP")
    const { code, output } = yield* ended
    expect(code).toBe(0)
    expect(output).toMatch(announcement)
    expect(yield* Deferred.isDone(stopped)).toBe(true)
  })
)

it.effect("gives up on a stop that takes longer than ten seconds, whatever else is sent", () =>
  Effect.gen(function* () {
    const stopping = yield* Deferred.make<void>()
    const { ended, said, signal } = yield* serving(
      "serve",
      Effect.as(
        Effect.addFinalizer(() => Effect.zipRight(Deferred.succeed(stopping, undefined), Effect.never)),
        { url }
      )
    )
    yield* said
    yield* signal("SIGTERM")
    yield* Deferred.await(stopping)
    yield* signal("SIGTERM")
    yield* TestClock.adjust("10 seconds")
    const { code, complaints } = yield* ended
    expect(code).toBe(1)
    expect(complaints).toContain("did not stop in time")
  })
)

it.effect("stops while it starts", () =>
  Effect.gen(function* () {
    const starting = yield* Deferred.make<void>()
    const stopped = yield* Deferred.make<void>()
    const { ended, signal } = yield* serving(
      "serve",
      Effect.addFinalizer(() => Deferred.succeed(stopped, undefined)).pipe(
        Effect.zipRight(Deferred.succeed(starting, undefined)),
        Effect.zipRight(Effect.never)
      )
    )
    yield* Deferred.await(starting)
    yield* signal("SIGINT")
    expect(yield* ended).toMatchObject({ code: 0, output: "" })
    expect(yield* Deferred.isDone(stopped)).toBe(true)
  })
)
