/** What can't be given to a program, found before anything is started. */
import type { Command, CommandResult } from "../services/Sandbox.ts"

const hasNul = (text: string) => text.includes("\0")

/** Exit codes of what could not be started and of what took too long, as shells and `timeout` have them. */
export const notStartedCode = 126
export const timedOutCode = 124

export const refusedCommand = ({ argv, cwd, env }: Command): CommandResult | undefined => {
  const words = [...argv, ...(cwd === undefined ? [] : [cwd]), ...Object.entries(env ?? {}).flat()]
  return words.some(hasNul) ? startFailure("a command can't contain a NUL character") : undefined
}

/** A command that came to nothing: its output says why. */
export const startFailure = (detail: string): CommandResult => ({
  exitCode: notStartedCode,
  timedOut: false,
  output: detail,
  bytes: Buffer.byteLength(detail),
  durationMs: 0
})
