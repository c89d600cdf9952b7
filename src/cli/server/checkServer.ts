/**
 * Checks of a server with these settings, beside one that may be running on them.
 *
 * Owns: what is looked at, and the remedies. Every check ends in seconds.
 */
import { FileSystem } from "@effect/platform"
import { Effect, Layer, Option } from "effect"
import { statfs } from "node:fs/promises"
import { join, relative } from "node:path"
import * as ClaudeClientScripted from "../../layers/ClaudeClientScripted.ts"
import { DataDir } from "../../layers/DataDirLock.ts"
import * as EgressMemory from "../../layers/EgressMemory.ts"
import * as SandboxDocker from "../../layers/SandboxDocker.ts"
import { AppConfig, type Settings } from "../../services/AppConfig.ts"
import { Sandbox } from "../../services/Sandbox.ts"
import { bytes } from "../render/figures.ts"
import { withAccounts } from "./accounts.ts"
import { type Finding, ok, problem, warning } from "./Finding.ts"

const checkDataDir = Effect.fnUntraced(function* ({ dataDir }: Settings) {
  const files = yield* FileSystem.FileSystem
  const made = files
    .makeDirectory(dataDir, { recursive: true, mode: 0o700 })
    .pipe(Effect.zipRight(files.access(dataDir, { readable: true, writable: true })))
  const remedy = "Make it writable for this user, or name another with ERRAND_DATA_DIR."
  return yield* Effect.match(made, {
    onSuccess: () => ok("data directory", dataDir),
    onFailure: (error) => problem("data directory", `${dataDir} can't be used: ${error.message}`, remedy)
  })
})

const checkDisk = ({ dataDir, diskFloorBytes }: Settings) =>
  Effect.tryPromise(() => statfs(dataDir)).pipe(
    Effect.match({
      onSuccess: ({ bavail, bsize }): Finding => {
        const free = `${bytes(bavail * bsize)} free`
        return bavail * bsize > diskFloorBytes
          ? ok("disk", free)
          : problem(
              "disk",
              `${free}, less than the floor of ${bytes(diskFloorBytes)}`,
              "Free some space, or lower ERRAND_DISK_FLOOR: until then new tasks are refused and running ones pause."
            )
      },
      onFailure: () => problem("disk", "its free space can't be told", "See what is wrong with the data directory.")
    })
  )

/**
 * Health is all that is asked of it, so no lock is needed, no container is anybody's, and nothing has a way out. In a
 * directory of its own, which nobody makes: it would take the disks of a server that runs for leavings.
 */
const engine = SandboxDocker.layer.pipe(
  Layer.provide(EgressMemory.layer),
  Layer.provide(
    Layer.effect(
      DataDir,
      Effect.map(AppConfig, ({ dataDir }) => ({ path: join(dataDir, "doctor"), serverId: "doctor" }))
    )
  )
)

const checkSandbox = ({ sandbox }: Settings) =>
  sandbox.adapter === "process"
    ? Effect.succeed(
        warning("sandbox", "tools run as the server's own user, isolated from nothing", "Use ERRAND_SANDBOX=docker.")
      )
    : Effect.scoped(
        Effect.flatMap(Layer.build(engine), (context) =>
          Effect.flatMap(Sandbox, ({ health }) => health).pipe(Effect.provide(context))
        )
      ).pipe(
        Effect.map(({ detail, ready }) =>
          ready
            ? ok("sandbox", detail)
            : problem(
                "sandbox",
                detail,
                "Until then tasks stay in the queue; the server looks again every two seconds."
              )
        )
      )

const checkModel = ({ model }: Settings) => {
  if (model.name !== ClaudeClientScripted.modelName) {
    return Effect.succeed(
      Option.isSome(model.apiKey)
        ? ok("model", `${model.name}, with a key`)
        : problem("model", `${model.name}, without a key`, "Set ANTHROPIC_API_KEY: until then tasks are refused.")
    )
  }
  return Effect.scoped(Layer.build(ClaudeClientScripted.layer)).pipe(
    Effect.match({
      onSuccess: () =>
        warning("model", "scripted: it plays a conversation and asks no model", "Set ERRAND_MODEL to a Claude model."),
      onFailure: (error) => problem("model", error.message, "Mend the script, or set ERRAND_MODEL to a Claude model.")
    })
  )
}

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/

const checkExposure = ({ host, publicUrl }: Settings): Finding => {
  const plain = Option.filter(publicUrl, (url) => url.startsWith("http:") && !loopback.test(new URL(url).hostname))
  if (Option.isSome(plain)) {
    return warning(
      "network",
      `clients come to ${plain.value} without TLS: tokens can be read on the way`,
      "Put a proxy with TLS before it, and its URL into ERRAND_PUBLIC_URL=https://…"
    )
  }
  if (loopback.test(host)) return ok("network", `listens on ${host}, for this machine alone`)
  return Option.exists(publicUrl, (url) => url.startsWith("https://"))
    ? ok("network", `listens on ${host}, reached over TLS`)
    : warning(
        "network",
        `listens on ${host}, and nothing says that clients come over TLS: tokens can be read on the way`,
        "Put a proxy with TLS before it, and its URL into ERRAND_PUBLIC_URL=https://…"
      )
}

const shorter = (a: string, b: string): string => (b.length < a.length ? b : a)

/** What to type to run this program again. */
const program =
  process.argv[1]?.endsWith(".mjs") === true
    ? `node ${shorter(process.argv[1], relative("", process.argv[1]))}`
    : "errand"

const checkUsers = withAccounts((accounts) => accounts.devices(Option.none())).pipe(
  Effect.match({
    onSuccess: (devices): Finding =>
      devices.some(({ revokedAt }) => revokedAt === null)
        ? ok("access", "there are access tokens")
        : warning("access", "nobody has an access token", `Make one: ${program} token create --login NAME`),
    onFailure: (error) => problem("access", error.message, "Restore a backup, or start with an empty data directory.")
  })
)

/** Everything that can be told while a server runs on these settings or not. */
export const checkServer = Effect.gen(function* () {
  const settings = yield* AppConfig
  const dataDir = yield* checkDataDir(settings)
  const needDataDir = dataDir.status === "ok" ? [checkDisk(settings), checkUsers] : []
  const rest = yield* Effect.all([checkSandbox(settings), checkModel(settings), ...needDataDir], {
    concurrency: "unbounded"
  })
  return [dataDir, ...rest, checkExposure(settings)]
})
