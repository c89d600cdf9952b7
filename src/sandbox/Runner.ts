/** A runner in a sandbox, as commands, pipes and files use it. */
import { Effect, Option } from "effect"
import type { Command, SandboxLost } from "../services/Sandbox.ts"
import { inDirectory, timedOutCode } from "./commandWords.ts"
import { Answer, How, Limit, list, Request, u32 } from "./frames.ts"
import type { RunnerConnection } from "./RunnerConnection.ts"

export interface Runner {
  readonly connection: RunnerConnection
  /** The failure of everything once the connection is lost, in words for people. */
  readonly lost: Effect.Effect<never, SandboxLost>
  /** Ends the sandbox, when something in it can't be ended otherwise. */
  readonly abandon: Effect.Effect<void>
}

/** The body of `Request.start`; `keep` is the number of bytes at each end of the output, or the credit of a pipe. */
export const startBody = (
  flags: number,
  keep: number,
  { argv, cwd, env, silenceMs = 0, timeoutMs }: Pick<Command, "argv" | "cwd" | "env" | "silenceMs" | "timeoutMs">
): ReadonlyArray<Uint8Array> => {
  const words = cwd === undefined ? argv : inDirectory(cwd, argv)
  return [
    Uint8Array.of(flags),
    u32(timeoutMs, silenceMs, keep, words.length),
    ...list([...words, ...Object.entries(env ?? {}).flat()])
  ]
}

export interface Ended {
  readonly exitCode: number
  readonly timedOut: boolean
  readonly silent: boolean
  readonly durationMs: number
  readonly bytes: number
  readonly tail: Buffer
}

/** The body of `Answer.ended`. */
export const readEnded = (body: Buffer): Ended => {
  const value = body.readUInt8(1)
  const limit = body.readUInt8(2)
  return {
    exitCode: limit !== Limit.none ? timedOutCode : body.readUInt8(0) === How.signalled ? 128 + value : value,
    timedOut: limit === Limit.time,
    silent: limit === Limit.silence,
    durationMs: body.readUInt32BE(4),
    bytes: Number(body.readBigUInt64BE(8)),
    tail: body.subarray(16)
  }
}

/** Time for the runner to kill a command; it takes milliseconds. */
const killTime = "3 seconds"

/** Kills a command with all it started, unless it has ended, and returns when that is gone. */
export const kill = ({ abandon, connection }: Runner, id: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (!connection.isOpen(id)) return Effect.void
    return Effect.async<void>((resume) => {
      const finished = () => {
        connection.forget(id)
        resume(Effect.void)
      }
      connection.listenAgain(id, {
        onAnswer: (type) => {
          if (type === Answer.ended) finished()
        },
        onLost: finished
      })
      connection.send(Request.kill, id)
    }).pipe(
      // What a cancelled fiber runs to the end can be cut short only where it says so.
      Effect.interruptible,
      Effect.timeoutOption(killTime),
      Effect.flatMap((killed) => {
        if (Option.isSome(killed)) return Effect.void
        connection.lose("a command in it could not be killed")
        return abandon
      })
    )
  })
