/** Checks of the machine that need no settings. */
import { Config, Effect, Option } from "effect"
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { isTooOld, oldestGit } from "../../layers/git/oldestGit.ts"
import { type Finding, ok, problem } from "./Finding.ts"

/** The first minor version that will do, as `engines` of package.json has it; from 24 on every one does. */
const oldestMinors: Readonly<Record<number, number>> = { 20: 19, 22: 12 }

export const checkNode = (version: string): Finding => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  return major >= 24 || minor >= (oldestMinors[major] ?? Infinity)
    ? ok("node", version)
    : problem("node", version, "Errand needs Node 24 or newer, Node 22 from 22.12 on, or Node 20 from 20.19 on.")
}

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

const installGit = `Install git ${oldestGit} or newer, for instance with \`apt-get install git\`.`

export const checkGit = outputOf("git").pipe(
  Effect.map((output): Finding => {
    const version = Option.map(output, (text) => /(\d+\.\d+(?:\.\d+)?)/.exec(text)?.[1])
    if (Option.isNone(version) || version.value === undefined) return problem("git", "it is not there", installGit)
    return isTooOld(version.value)
      ? problem("git", `${version.value} is too old`, installGit)
      : ok("git", version.value)
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
