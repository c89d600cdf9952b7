/**
 * What an engine is like, and a sandbox on it as code inside finds it: for the checks before anything is trusted to them.
 *
 * Owns: asking. Does not own: what of it is good or bad (`cli/server/checkSandbox.ts`).
 */
import { FileSystem } from "@effect/platform"
import { Clock, Effect, Layer, Option } from "effect"
import { stat } from "node:fs/promises"
import { join } from "node:path"
import { call, connect, type Engine, unavailable } from "../sandbox/engine.ts"
import { type ProbeFailed, type ProbeReport, runProbe } from "../sandbox/probe/probe.ts"
import { AppConfig } from "../services/AppConfig.ts"
import { Ids } from "../services/Ids.ts"
import { Sandbox, type SandboxLost, type SandboxUnavailable } from "../services/Sandbox.ts"
import { DataDir } from "./DataDirLock.ts"
import * as EgressMemory from "./EgressMemory.ts"
import * as SandboxDocker from "./SandboxDocker.ts"

export type { ProbeReport }

const requestTime = "5 seconds"
const usualSocket = "/var/run/docker.sock"

export interface EngineFacts {
  /** As it calls itself: Docker, or one that speaks as Docker does. */
  readonly name: string
  readonly version: string
  /** Of the runtime that runs the sandboxes, where the engine tells it. */
  readonly runtime: { readonly name: string; readonly version: string | null }
  readonly rootless: boolean
  readonly kernel: string
  /** Milliseconds that the engine's clock is ahead of the server's. */
  readonly aheadMs: number
  /** Permission bits of the engine's socket; none for an engine on a network. */
  readonly socket: Option.Option<{ readonly path: string; readonly mode: number }>
}

const socketOf = (address: Option.Option<string>) => {
  const url = new URL(Option.getOrElse(address, () => `unix://${usualSocket}`))
  if (url.protocol !== "unix:") return Effect.succeedNone
  return Effect.option(
    Effect.map(
      Effect.tryPromise(() => stat(url.pathname)),
      ({ mode }) => ({ path: url.pathname, mode: mode & 0o777 })
    )
  )
}

const ask = ({ probe }: Engine) =>
  Effect.all([call(requestTime, () => probe.version()), call(requestTime, () => probe.info())], { concurrency: 2 })

/** The engine itself. Nothing is started. */
export const engineFacts: Effect.Effect<EngineFacts, SandboxUnavailable, AppConfig> = Effect.gen(function* () {
  const { sandbox } = yield* AppConfig
  const engine = connect(sandbox.dockerHost)
  const [version, info] = yield* ask(engine).pipe(
    Effect.catchTag("EngineError", (error) => unavailable(engine, sandbox.image, error))
  )
  const components = version.Components ?? []
  const runtime = Option.getOrElse(sandbox.runtime, () => String(info.DefaultRuntime))
  return {
    name: components.find(({ Name }) => /engine/i.test(Name))?.Name ?? "Docker",
    version: version.Version,
    runtime: { name: runtime, version: components.find(({ Name }) => Name === runtime)?.Version ?? null },
    rootless: String(info.SecurityOptions).includes("rootless"),
    kernel: String(info.KernelVersion),
    aheadMs: Date.parse(String(info.SystemTime)) - (yield* Clock.currentTimeMillis),
    socket: yield* socketOf(sandbox.dockerHost)
  }
})

/** Opens a sandbox in a directory of its own, beside a server that may be running, and runs at its walls from inside. */
export const probeSandbox: Effect.Effect<
  ProbeReport,
  SandboxUnavailable | SandboxLost | ProbeFailed,
  AppConfig | FileSystem.FileSystem | Ids
> = Effect.gen(function* () {
  const ids = yield* Ids
  const files = yield* FileSystem.FileSystem
  const { dataDir } = yield* AppConfig
  const id = yield* ids.plain
  const directory = yield* Effect.acquireRelease(Effect.succeed(join(dataDir, `probe-${id}`)), (path) =>
    Effect.ignore(files.remove(path, { recursive: true, force: true }))
  )
  const own = Layer.succeed(DataDir, { path: directory, serverId: `probe-${id}` })
  const context = yield* Layer.build(Layer.provide(SandboxDocker.layer, [own, EgressMemory.layer]))
  return yield* Effect.flatMap(Sandbox, (sandbox) =>
    Effect.gen(function* () {
      const handle = yield* sandbox.open({ taskId: yield* ids.task, run: 1, network: { mode: "none", hosts: [] } })
      return yield* runProbe(handle)
    })
  ).pipe(Effect.provide(context))
}).pipe(Effect.scoped)
