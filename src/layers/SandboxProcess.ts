/**
 * Sandbox that is a directory of this host: commands run as the server's own user, with an environment of their own.
 *
 * It isolates nothing: what runs in it can read and change whatever this user can. It is for machines that are
 * themselves thrown away, and for trying things out where no engine is.
 *
 * Owns: a directory for each sandbox, and killing what runs in it.
 * Does not own: limits of memory, processors, disk or network; there are none.
 */
import { FileSystem } from "@effect/platform"
import { Config, Effect, Layer } from "effect"
import { resolve } from "node:path"
import * as hostDirectory from "../sandbox/hostDirectory.ts"
import * as hostHandle from "../sandbox/hostHandle.ts"
import { Sandbox, SandboxUnavailable } from "../services/Sandbox.ts"
import { DataDir } from "./DataDirLock.ts"

const refused = (error: Error) =>
  new SandboxUnavailable({ reason: "refused", detail: `The directories of sandboxes can't be used: ${error.message}` })

export const layer: Layer.Layer<Sandbox, never, DataDir | FileSystem.FileSystem> = Layer.effect(
  Sandbox,
  Effect.gen(function* () {
    const work = resolve((yield* DataDir).path, "work")
    const path = yield* Config.string("PATH").pipe(Config.withDefault("/usr/local/bin:/usr/bin:/bin"), Effect.orDie)
    const files = yield* FileSystem.FileSystem
    return Sandbox.of({
      open: Effect.fn("Sandbox.open")(function* (spec) {
        const place = yield* hostDirectory
          .make(work, `${spec.taskId}.${spec.run}`)
          .pipe(Effect.provideService(FileSystem.FileSystem, files), Effect.mapError(refused))
        return yield* hostHandle.make(place, path)
      }),
      sweep: hostDirectory
        .removeAll(work)
        .pipe(
          Effect.provideService(FileSystem.FileSystem, files),
          Effect.mapError(refused),
          Effect.withSpan("Sandbox.sweep")
        ),
      health: Effect.succeed({
        adapter: "process",
        ready: true,
        detail: "Commands run as the server's own user on this machine, isolated from nothing."
      }),
      networkModes: ["open"]
    })
  })
)
