/** What can't be given to a program, found before anything is started. */
import type { Command, CommandResult } from "../services/Sandbox.ts"

const hasNul = (text: string) => text.includes("\0")

/** Exit codes of what could not be started and of what took too long, as shells and `timeout` have them. */
export const notStartedCode = 126
export const timedOutCode = 124

/** Changes the directory before the program starts, and words what is wrong with either as people know it. */
export const inDirectory = (cwd: string, argv: Command["argv"]): Command["argv"] => [
  "/bin/sh",
  "-c",
  `cd -- "$1" || exit ${notStartedCode}; shift; exec "$@"`,
  "sh",
  cwd,
  ...argv
]

export const refusedCommand = ({
  argv,
  cwd = "",
  env = {}
}: Pick<Command, "argv" | "cwd" | "env">): CommandResult | undefined => {
  if ([...argv, cwd, ...Object.entries(env).flat()].some(hasNul))
    return startFailure("a NUL character is in the command")
  const name = Object.keys(env).find((name) => name === "" || name.includes("="))
  return name === undefined ? undefined : startFailure(`"${name}" can't be the name of a variable`)
}

/** A command that came to nothing: its output says why. */
export const startFailure = (detail: string): CommandResult => ({
  exitCode: notStartedCode,
  timedOut: false,
  silent: false,
  output: detail,
  bytes: Buffer.byteLength(detail),
  durationMs: 0
})
