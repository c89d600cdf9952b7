import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import { build } from "esbuild"
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import * as AppConfigEnv from "../../src/layers/AppConfigEnv.ts"
import { DataDir, layer } from "../../src/layers/DataDirLock.ts"
import * as IdsUlid from "../../src/layers/IdsUlid.ts"

/** Takes the directory for as long as the scope is open. */
const take = (dataDir: string) =>
  Effect.flatMap(
    Layer.build(layer.pipe(Layer.provide([AppConfigEnv.layerWith({ dataDir }), IdsUlid.layer]))),
    (context) => Effect.provide(DataDir, context)
  )

const temporaryDirectory = Effect.flatMap(FileSystem.FileSystem, (files) => files.makeTempDirectoryScoped())

/** Built where Node finds the packages that it imports. */
const program = fileURLToPath(new URL("../../node_modules/.cache/errand-tests/holdDataDir.mjs", import.meta.url))

const buildProgram = Effect.promise(() =>
  build({
    entryPoints: [fileURLToPath(new URL("../support/holdDataDir.ts", import.meta.url))],
    outfile: program,
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    logLevel: "silent"
  })
)

const kill = (child: ChildProcess) =>
  Effect.async<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

const otherProcess = (dataDir: string) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [program], {
        env: { ...process.env, ERRAND_DATA_DIR: dataDir },
        stdio: ["ignore", "pipe", "inherit"]
      })
    ),
    kill
  )

const firstLine = (child: ChildProcess) =>
  Effect.async<string>((resume) => {
    if (child.stdout === null) return resume(Effect.dieMessage("no output"))
    createInterface(child.stdout).once("line", (line) => resume(Effect.succeed(line)))
  })

describe("DataDirLock", () => {
  it.scopedLive("refuses a second server on the same directory, until the first has gone", () =>
    Effect.gen(function* () {
      const dataDir = `${yield* temporaryDirectory}/not/made/yet`
      const first = yield* Scope.make()
      const { serverId, path } = yield* Scope.extend(take(dataDir), first)
      assert.strictEqual(path, dataDir)

      const refusal = yield* Effect.flip(Effect.scoped(take(dataDir)))
      assert.strictEqual(refusal._tag, "DataDirInUse")
      assert.include(refusal.message, dataDir)
      assert.include(refusal.message, "ERRAND_DATA_DIR")

      yield* Scope.close(first, Exit.void)
      const next = yield* Effect.scoped(take(dataDir))
      assert.strictEqual(next.serverId, serverId)
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scopedLive("is free at once after kill -9 of its holder, and keeps the server's name", () =>
    Effect.gen(function* () {
      yield* buildProgram
      const dataDir = yield* temporaryDirectory
      const other = yield* otherProcess(dataDir)
      const serverId = yield* firstLine(other)
      assert.strictEqual((yield* Effect.flip(Effect.scoped(take(dataDir))))._tag, "DataDirInUse")
      yield* kill(other)
      const mine = yield* take(dataDir)
      assert.strictEqual(mine.serverId, serverId)
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scopedLive("names what is wrong with a directory that can't be used", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const dataDir = `${yield* temporaryDirectory}/file`
      yield* files.writeFileString(dataDir, "")
      const refusal = yield* Effect.flip(take(dataDir))
      assert.strictEqual(refusal._tag, "DataDirUnusable")
      assert.include(refusal.message, dataDir)
    }).pipe(Effect.provide(NodeContext.layer))
  )
})
