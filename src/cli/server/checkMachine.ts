/** Checks of the machine that need no settings. */
import { Config, Effect, Option } from "effect"
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { type Finding, ok, problem } from "./Finding.ts"

const atLeast = (found: string, major: number, minor: number): boolean => {
  const [foundMajor = 0, foundMinor = 0] = found.split(".").map(Number)
  return foundMajor > major || (foundMajor === major && foundMinor >= minor)
}

export const checkNode = (version: string): Finding =>
  atLeast(version, 20, 19) ? ok("node", version) : problem("node", version, "Errand needs Node 20.19 or newer.")

const searchPath = Config.string("PATH").pipe(Config.withDefault("/usr/local/bin:/usr/bin:/bin"))
const patienceMs = 5_000

/** Not the platform's `Command`: that one would hand on the server's environment, with the keys in it. */
const outputOf = (program: string) =>
  Effect.flatMap(searchPath, (PATH) =>
    Effect.tryPromise((signal) =>
      promisify(execFile)(program, ["--version"], { env: { PATH }, timeout: patienceMs, signal })
    )
  ).pipe(
    Effect.map(({ stdout }) => stdout),
    Effect.option
  )

const installGit = "Install git 2.37 or newer, for instance with `apt-get install git`."

export const checkGit = outputOf("git").pipe(
  Effect.map((output): Finding => {
    const version = Option.map(output, (text) => /(\d+\.\d+(?:\.\d+)?)/.exec(text)?.[1])
    if (Option.isNone(version) || version.value === undefined) return problem("git", "it is not there", installGit)
    return atLeast(version.value, 2, 37)
      ? ok("git", version.value)
      : problem("git", `${version.value} is too old`, installGit)
  })
)

/** Sandboxes that are a directory of this machine run commands with it. */
export const checkBash = Effect.map(
  outputOf("bash"),
  Option.match({
    onNone: () => problem("bash", "it is not there", "Install it, for instance with `apt-get install bash`."),
    onSome: (text) => ok("bash", /(\d+\.\d+)/.exec(text)?.[1] ?? "it is there")
  })
)
