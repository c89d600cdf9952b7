/**
 * Checks of the sandboxes: the engine that makes them, and the walls of one, run at from inside.
 *
 * Owns: what of the facts is a finding, and the remedies. Every check ends in seconds.
 */
import { Effect, Option } from "effect"
import { type EngineFacts, engineFacts, probeSandbox, type ProbeReport } from "../../layers/sandboxFacts.ts"
import { AppConfig, type Settings } from "../../services/AppConfig.ts"
import { type Finding, ok, orAccepted, problem, warning } from "./Finding.ts"

type Version = readonly [major: number, minor: number, patch: number]

const versionOf = (text: string): Version => {
  const [, major = "0", minor = "0", patch = "0"] = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text) ?? []
  return [Number(major), Number(minor), Number(patch)]
}

/** Whether `found` is not older than the fix, or than the fix of its own older line. */
const hasFix = (found: string, fix: Version, ...older: ReadonlyArray<Version>): boolean => {
  const [major, minor, patch] = versionOf(found)
  const line = older.find(([otherMajor, otherMinor]) => otherMajor === major && otherMinor === minor)
  if (line !== undefined) return patch >= line[2]
  return major !== fix[0] ? major > fix[0] : minor !== fix[1] ? minor > fix[1] : patch >= fix[2]
}

const backported = "Distributions backport fixes under old numbers: see its changelog."

export const checkEngine = ({ name, version }: EngineFacts): Finding => {
  if (!name.startsWith("Docker")) return ok("engine", `${name} ${version}`)
  return hasFix(version, [25, 0, 5])
    ? ok("engine", `Docker ${version}`)
    : warning(
        "engine",
        `Docker ${version} is older than 25.0.5, and has known flaws`,
        `Update it. ${backported}`,
        `docker-${version}`
      )
}

/** The fixes for containers that leave through masked paths and /dev/console: CVE-2025-31133, -52565 and -52881. */
export const checkRuntime = ({ runtime: { name, version } }: EngineFacts): Finding => {
  if (version === null || name !== "runc") return ok("runtime", version === null ? name : `${name} ${version}`)
  return hasFix(version, [1, 3, 3], [1, 2, 8])
    ? ok("runtime", `runc ${version}`)
    : warning(
        "runtime",
        `runc ${version} is older than 1.2.8 and 1.3.3: containers can get out of it`,
        `Update it. ${backported}`,
        `runc-${version}`
      )
}

const othersMayWrite = 0o002

interface EnginePlace {
  readonly sandbox: Pick<Settings["sandbox"], "dockerHost">
}

export const checkSocket = ({ socket }: EngineFacts, { sandbox }: EnginePlace): Finding => {
  if (Option.isSome(socket)) {
    const { mode, path } = socket.value
    return (mode & othersMayWrite) === 0
      ? ok("engine socket", path)
      : problem(
          "engine socket",
          `every user of this machine may use ${path}, and so be root`,
          `chmod o= ${path}, and let only the group docker use it.`
        )
  }
  const place = Option.getOrElse(sandbox.dockerHost, () => "a socket that can't be looked at")
  return /^(?:https:|tcp:\/\/(?:localhost|127\.|\[::1\]))/.test(place) || !place.startsWith("tcp:")
    ? ok("engine socket", place)
    : warning(
        "engine socket",
        `${place} is not protected: whoever reaches it is root on that machine`,
        "Use an https:// address with client certificates, or forward the socket with ssh -L.",
        "engine-socket"
      )
}

/** Seconds that two clocks may differ before tokens and certificates are taken for expired. */
const mostSkewSeconds = 5

const checkClock = ({ aheadMs }: EngineFacts, synchronised: boolean | null): Finding => {
  const seconds = Math.round(Math.abs(aheadMs) / 1000)
  const remedy = "Start a time service, for instance with `apt-get install systemd-timesyncd`."
  if (seconds > mostSkewSeconds) return warning("clock", `${seconds} s apart from the engine's`, remedy, "clock")
  return synchronised === false
    ? warning("clock", "nothing keeps it right: sign-ins and certificates fail when it is wrong", remedy, "clock")
    : ok("clock", synchronised === null ? "as the engine's" : "kept right")
}

/** What a sandbox's own kernel, as gVisor's, does with system calls never reaches the host's. */
const checkWalls = (engine: EngineFacts, { kernel, openings }: ProbeReport): Finding => {
  if (kernel !== engine.kernel) return ok("system calls", `answered by a kernel of the sandbox's own (${kernel})`)
  return openings.length === 0
    ? ok("system calls", "filtered, as tried from inside")
    : problem(
        "system calls",
        `open from inside: ${openings.join(", ")}`,
        "The engine does not apply the filter: use one with seccomp, and a kernel with CONFIG_SECCOMP_FILTER."
      )
}

const checkNamespace = (engine: EngineFacts, { kernel, mapped }: ProbeReport): Finding => {
  if (kernel !== engine.kernel) return ok("user namespace", "not needed with a kernel of the sandbox's own")
  return mapped || engine.rootless
    ? ok("user namespace", engine.rootless ? "the engine runs without root" : "root inside is nobody outside")
    : warning(
        "user namespace",
        "who gets root in a sandbox, by a flaw of the kernel, has it outside too",
        `Set "userns-remap": "default" in /etc/docker/daemon.json, run a rootless engine, or use ERRAND_SANDBOX_RUNTIME=runsc.`,
        "user-namespace"
      )
}

/** A file system has a little less than its size. */
const checkDiskLimit = ({ treeBytes }: ProbeReport, { sandbox }: Settings): Finding =>
  treeBytes <= sandbox.limits.diskBytes
    ? ok("sandbox disk", "a file system of its own")
    : warning(
        "sandbox disk",
        "measured every second or so: until then a sandbox can take more than its limit",
        "Let the server run as root on the engine's machine, with e2fsprogs and loop devices.",
        "sandbox-disk"
      )

const failedProbe = (error: Error) =>
  problem("system calls", `a sandbox could not be tried: ${error.message}`, "Mend that: tasks would fail the same way.")

/** Starts a sandbox, and ends it. */
const checkInside = (engine: EngineFacts, settings: Settings) =>
  probeSandbox.pipe(
    Effect.timeout("60 seconds"),
    Effect.match({
      onFailure: (error): ReadonlyArray<Finding> => [failedProbe(error), checkClock(engine, null)],
      onSuccess: (report) => [
        checkWalls(engine, report),
        checkNamespace(engine, report),
        checkDiskLimit(report, settings),
        checkClock(engine, report.clockSynchronised)
      ]
    })
  )

/** None where there are no walls to look at, or no engine: `checkServer` says so. */
export const checkSandbox = Effect.gen(function* () {
  const settings = yield* AppConfig
  if (settings.sandbox.adapter === "process") return []
  const found = yield* engineFacts.pipe(
    Effect.flatMap((engine) =>
      Effect.map(checkInside(engine, settings), (inside) => [
        checkEngine(engine),
        checkRuntime(engine),
        checkSocket(engine, settings),
        ...inside
      ])
    ),
    Effect.catchTag("SandboxUnavailable", () => Effect.succeed<ReadonlyArray<Finding>>([]))
  )
  return found.map(orAccepted(settings.acceptedFindings))
})
