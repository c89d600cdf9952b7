/**
 * Sandbox that is a container of a Docker engine, without a network: its only way out is the socket of `Egress`.
 *
 * Owns: which engine, which containers are this server's, and removing the ones that nobody uses.
 * Does not own: the container's walls (`sandbox/containerSpec.ts`), what happens inside (`sandbox/runner/`).
 */
import { type Duration, Effect, Layer, Option } from "effect"
import { join } from "node:path"
import { open, runnerBytes } from "../sandbox/container.ts"
import { label } from "../sandbox/containerSpec.ts"
import { call, connect, type Engine, imageMissing, runtimeMissing, unavailable } from "../sandbox/engine.ts"
import { makeHostPath } from "../sandbox/hostPaths.ts"
import { makeHostsFile } from "../sandbox/hostsFile.ts"
import * as LoopDisks from "../sandbox/loopDisks.ts"
import { remove, removeVolumes } from "../sandbox/removal.ts"
import { AppConfig } from "../services/AppConfig.ts"
import { Egress } from "../services/Egress.ts"
import { Ids } from "../services/Ids.ts"
import { Sandbox, type SandboxHealth, SandboxUnavailable } from "../services/Sandbox.ts"
import { NetworkMode } from "../services/Task.ts"
import { DataDir } from "./DataDirLock.ts"

const listTime = "10 seconds"
/** What the engine was still making for a former life of the server is there by then. */
const lateTime = "30 seconds"
const healthTime = "3 seconds"
/** Health is asked for by many, and each answer costs the engine two requests. */
const healthAge = "1 second"

export interface Options {
  /** How long a sandbox in which something runs may say nothing before it is asked whether it lives; twice that, and it is lost. */
  readonly silence?: Duration.DurationInput
  /** False: sandboxes get plain volumes that are measured, as where no file system can be mounted. */
  readonly loopDisks?: boolean
}

/** The engine says so of a volume whose file system it could not mount. */
const notMounted = /failed to mount local volume/

/** A name can be moved to another image at any time; an id can't. */
const imageIdOf = (engine: Engine, image: string) =>
  call(healthTime, () => engine.probe.getImage(image).inspect()).pipe(
    Effect.map(({ Id }) => Id),
    Effect.catchIf(
      ({ status }) => status === 404,
      () => imageMissing(image)
    )
  )

/** No runtime stands in for another, least of all a weaker one. */
const checkRuntime = (engine: Engine, runtime: string) =>
  Effect.flatMap(
    call(healthTime, () => engine.probe.info()),
    ({ Runtimes }) => (Object.hasOwn(Runtimes ?? {}, runtime) ? Effect.void : runtimeMissing(engine, runtime))
  )

const make = ({ loopDisks = true, silence = "12 seconds" }: Options) =>
  Effect.gen(function* () {
    const { diskFloorBytes, maxRunning, sandbox } = yield* AppConfig
    const { path, serverId } = yield* DataDir
    const ids = yield* Ids
    const egress = yield* Egress
    const serverScope = yield* Effect.scope
    const { image, limits, runtime } = sandbox
    const ours = `${label.server}=${serverId}`
    const engine = connect(sandbox.dockerHost)
    const hostPath = yield* makeHostPath(engine)
    const disks = yield* LoopDisks.make(
      {
        directory: join(path, "disks"),
        bytes: limits.diskBytes,
        most: maxRunning,
        probeName: `errand-${yield* ids.plain}`,
        labels: { [label.server]: serverId }
      },
      engine
    )
    if (!loopDisks) yield* disks.giveUp("they are turned off")
    const hostsPath = join(path, "hosts")
    const hostsFile = makeHostsFile(hostsPath)
    const inUse = new Set<string>()

    const nameFor = (taskId: string, run: number) =>
      Effect.acquireRelease(
        Effect.map(ids.plain, (id) => {
          const name = `errand-${taskId}-${run}-${id}`
          inUse.add(name)
          return name
        }),
        (name) => Effect.sync(() => inUse.delete(name))
      )

    const former = call(listTime, (abortSignal) =>
      engine.docker.listContainers({ all: true, filters: { label: [ours] }, abortSignal })
    ).pipe(
      Effect.map((containers) => containers.filter(({ Names }) => !Names.some((name) => inUse.has(name.slice(1)))))
    )

    let version: string | undefined

    const check: Effect.Effect<SandboxHealth, SandboxUnavailable> = Effect.gen(function* () {
      // Not asked for again: each time the engine starts two programs for its answer.
      version ??= (yield* call(healthTime, () => engine.probe.version())).Version
      yield* imageIdOf(engine, image)
      if (Option.isSome(runtime)) yield* checkRuntime(engine, runtime.value)
      return { adapter: "docker" as const, ready: true, detail: `Docker ${version} with the image ${image}` }
    }).pipe(
      Effect.tapError(() =>
        Effect.sync(() => {
          version = undefined
        })
      ),
      Effect.catchTag("EngineError", (error) => unavailable(engine, image, error))
    )

    const clearUp = Effect.gen(function* () {
      const removed = yield* Effect.flatMap(
        former,
        Effect.forEach(({ Id }) => remove(engine, Id), { concurrency: 4 })
      )
      yield* removeVolumes(engine, ours)
      return removed.filter((wasThere) => wasThere).length
    })

    return Sandbox.of({
      open: Effect.fn("Sandbox.open")(function* (spec) {
        const { run, taskId } = spec
        const way = yield* Effect.mapError(
          egress.open(spec),
          ({ detail }) => new SandboxUnavailable({ reason: "refused", detail })
        )
        const directory = way.directory === null ? null : yield* hostPath(way.directory)
        const hosts = (yield* hostsFile.isThere) ? yield* hostPath(hostsPath) : null
        const name = yield* nameFor(taskId, run)
        const [imageId, disk] = yield* Effect.all([imageIdOf(engine, image), disks.take], {
          concurrency: 2
        }).pipe(Effect.catchTag("EngineError", (error) => unavailable(engine, image, error)))
        const handle = yield* open(
          engine,
          {
            name,
            image,
            imageId,
            runtime,
            limits,
            disk,
            serverId,
            taskId,
            run,
            runnerBytes,
            hosts,
            egress: directory,
            secrets: way.secrets
          },
          { diskFloorBytes, silence, serverScope }
        ).pipe(
          // Tried again by who opens it, then without what the engine does not see or can't mount.
          Effect.tapError(({ detail }) =>
            hosts !== null && detail.includes(hosts) ? hostsFile.giveUp(detail) : Effect.void
          ),
          Effect.catchIf(
            ({ detail }) => Option.isSome(disk) && notMounted.test(detail),
            (error) =>
              Effect.zipRight(
                disks.giveUp(error.detail),
                new SandboxUnavailable({ reason: "engine", detail: error.detail })
              )
          )
        )
        return { ...handle, refusals: way.refusals }
      }),
      sweep: clearUp.pipe(
        Effect.zipLeft(clearUp.pipe(Effect.delay(lateTime), Effect.ignore, Effect.forkIn(serverScope))),
        Effect.mapError((error) => unavailable(engine, image, error)),
        Effect.withSpan("Sandbox.sweep")
      ),
      health: yield* Effect.cachedWithTTL(
        Effect.catchAll(check, ({ detail }) => Effect.succeed({ adapter: "docker" as const, ready: false, detail })),
        healthAge
      ),
      networkModes: NetworkMode.literals
    })
  })

export const layerWith = (options: Options): Layer.Layer<Sandbox, never, AppConfig | DataDir | Egress | Ids> =>
  Layer.scoped(Sandbox, make(options))

export const layer = layerWith({})
