/** The end of a command that runs here, or of the patience with it. */
import { Effect } from "effect"
import type { Command, CommandResult } from "../services/Sandbox.ts"
import { timedOutCode } from "./commandWords.ts"

type End = Pick<CommandResult, "exitCode" | "timedOut" | "silent">

/** Silence is measured in parts, so that it is noticed at most one of them too late. */
const parts = 10

/** Returns when `heard` has stayed the same for as long as that; never without a limit. */
const silence = Effect.fnUntraced(function* (limitMs: number | undefined, heard: () => number) {
  if (limitMs === undefined) return yield* Effect.never
  let before = heard()
  let quiet = 0
  while (quiet < parts) {
    yield* Effect.sleep(limitMs / parts)
    quiet = heard() === before ? quiet + 1 : 0
    before = heard()
  }
})

/** `heard` counts what the command has written so far. */
export const bounded = <E, R>(
  { silenceMs, timeoutMs }: Pick<Command, "silenceMs" | "timeoutMs">,
  heard: () => number,
  exitCode: Effect.Effect<number, E, R>
): Effect.Effect<End, E, R> =>
  exitCode.pipe(
    Effect.timeoutTo({
      duration: timeoutMs,
      onSuccess: (code): End => ({ exitCode: code, timedOut: false, silent: false }),
      onTimeout: (): End => ({ exitCode: timedOutCode, timedOut: true, silent: false })
    }),
    Effect.raceFirst(
      Effect.map(silence(silenceMs, heard), (): End => ({ exitCode: timedOutCode, timedOut: false, silent: true }))
    )
  )
