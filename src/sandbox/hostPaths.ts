/**
 * Paths as the engine's host knows them: where this server is itself a container, they are others.
 */
import { Effect, Option } from "effect"
import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { hostname } from "node:os"
import { call, type Engine, type EngineError } from "./engine.ts"

interface Mount {
  /** On the host. */
  readonly Source: string
  /** In the container. */
  readonly Destination: string
}

const inspectTime = "5 seconds"

/** The path on the host; none when it is in the container alone. */
export const onHost = (mounts: ReadonlyArray<Mount>, path: string): Option.Option<string> => {
  const [mount] = mounts
    .filter(({ Destination }) => path === Destination || path.startsWith(`${Destination.replace(/\/$/, "")}/`))
    .toSorted((a, b) => b.Destination.length - a.Destination.length)
  return Option.map(
    Option.fromNullable(mount),
    ({ Destination, Source }) => Source.replace(/\/$/, "") + path.slice(Destination.replace(/\/$/, "").length)
  )
}

/** The id of the container whose mounts these are: its engine keeps a few of its files below that name. */
export const containerIn = (mountinfo: string): Option.Option<string> =>
  Option.fromNullable(/\/([0-9a-f]{64})\/(?:userdata\/)?(?:hostname|hosts|resolv\.conf) \/etc\//.exec(mountinfo)?.[1])

/** Where there are no such mounts, the host name is the beginning of the id, unless it was given another. */
const ownContainer = Effect.tryPromise(() => readFile("/proc/self/mountinfo", "utf8")).pipe(
  Effect.flatMap(containerIn),
  Effect.orElseSucceed(hostname)
)

/** None where this server is no container of that engine. */
const ownMounts = (engine: Engine): Effect.Effect<ReadonlyArray<Mount>, EngineError> =>
  Effect.suspend(() => {
    if (!existsSync("/.dockerenv") && !existsSync("/run/.containerenv")) return Effect.succeed([])
    return ownContainer.pipe(
      Effect.flatMap((id) => call(inspectTime, () => engine.probe.getContainer(id).inspect())),
      Effect.map(({ Mounts }) => Mounts),
      Effect.catchIf(
        ({ status }) => status === 404,
        () => Effect.succeed([])
      )
    )
  })

/** The same path where no volume has it, or the engine has not told it: it is asked again the next time. */
export const makeHostPath = (engine: Engine) =>
  Effect.sync(() => {
    let known: ReadonlyArray<Mount> | undefined
    const mounts = Effect.suspend(() =>
      known === undefined
        ? Effect.map(ownMounts(engine), (found) => (known = found))
        : Effect.succeed<ReadonlyArray<Mount>>(known)
    )
    return (path: string) =>
      mounts.pipe(
        Effect.map((all) => Option.getOrElse(onHost(all, path), () => path)),
        Effect.orElseSucceed(() => path)
      )
  })
