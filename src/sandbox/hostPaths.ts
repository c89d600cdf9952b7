/**
 * Paths as the engine's host knows them: where this server is itself a container, they are others.
 */
import { Effect, Option } from "effect"
import { existsSync } from "node:fs"
import { hostname } from "node:os"
import { call, type Engine } from "./engine.ts"

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

/** A container's host name is the beginning of its id, unless it was given another. */
const ownMounts = (engine: Engine): Effect.Effect<ReadonlyArray<Mount>> =>
  Effect.suspend(() => {
    if (!existsSync("/.dockerenv") && !existsSync("/run/.containerenv")) return Effect.succeed([])
    return call(inspectTime, () => engine.probe.getContainer(hostname()).inspect()).pipe(
      Effect.map(({ Mounts }) => Mounts),
      Effect.orElseSucceed(() => [])
    )
  })

/** The same path where this server is no container of that engine, or has the path in no volume. */
export const makeHostPath = (engine: Engine) =>
  Effect.map(
    Effect.cached(ownMounts(engine)),
    (mounts) => (path: string) => Effect.map(mounts, (all) => Option.getOrElse(onHost(all, path), () => path))
  )
