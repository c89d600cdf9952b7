/** Running programs over a `RunnerConnection`: to their end with their output kept, or as a pipe. */
import { Effect, Exit, Mailbox, Option, type Scope, Stream } from "effect"
import {
  type Command,
  type CommandResult,
  PipeFailed,
  type SandboxHandle,
  type SandboxLost
} from "../services/Sandbox.ts"
import { refusedCommand, timedOutCode } from "./commandWords.ts"
import { Answer, How, list, Request, Start, u32 } from "./frames.ts"
import { InputWindow } from "./InputWindow.ts"
import { KeptOutput } from "./KeptOutput.ts"
import { withPreviews } from "./previews.ts"
import type { RunnerConnection } from "./RunnerConnection.ts"

export interface Runner {
  readonly connection: RunnerConnection
  /** The failure of everything once the connection is lost, in words for people. */
  readonly lost: Effect.Effect<never, SandboxLost>
  /** Ends the sandbox, when something in it can't be ended otherwise. */
  readonly abandon: Effect.Effect<void>
}

/** Time for the runner to kill a command; it takes milliseconds. */
const killTime = "3 seconds"

interface Ended {
  readonly exitCode: number
  readonly timedOut: boolean
  readonly durationMs: number
  readonly bytes: number
  readonly tail: Buffer
}

const readEnded = (body: Buffer): Ended => {
  const value = body.readUInt8(1)
  const timedOut = body.readUInt8(2) === 1
  return {
    exitCode: timedOut ? timedOutCode : body.readUInt8(0) === How.signalled ? 128 + value : value,
    timedOut,
    durationMs: body.readUInt32BE(3),
    bytes: Number(body.readBigUInt64BE(7)),
    tail: body.subarray(15)
  }
}

const startBody = (
  flags: number,
  keep: number,
  { argv, cwd, env, timeoutMs }: Omit<Command, "outputLimit" | "stdin">
) => [
  Uint8Array.of(flags),
  u32(timeoutMs, keep, argv.length),
  ...list([cwd ?? "", ...argv, ...Object.entries(env ?? {}).flat()])
]

/** Kills a command with all it started, and returns when that is gone. */
const kill = ({ abandon, connection }: Runner, id: number): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
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
    Effect.flatMap(
      Option.match({
        onSome: () => Effect.void,
        onNone: () => {
          connection.lose("a command in it could not be killed")
          return abandon
        }
      })
    )
  )

export const run =
  (runner: Runner): SandboxHandle["run"] =>
  (command, onOutput) => {
    const refused = refusedCommand(command)
    if (refused !== undefined) return Effect.succeed(refused)
    const flags = (command.stdin === undefined ? 0 : Start.hasInput) | (onOutput === undefined ? 0 : Start.previews)
    return withPreviews(onOutput, (preview) =>
      Effect.async<CommandResult, SandboxLost>((resume) => {
        const { connection } = runner
        const half = Math.max(0, Math.floor(command.outputLimit / 2))
        const kept = new KeptOutput(half, half)
        const onEnded = (body: Buffer) => {
          connection.forget(id)
          const { bytes, durationMs, exitCode, tail, timedOut } = readEnded(body)
          kept.skip(bytes - kept.bytes - tail.length)
          kept.push(tail)
          resume(Effect.succeed({ exitCode, timedOut, output: kept.text, bytes, durationMs }))
        }
        const id = connection.listen({
          onAnswer: (type, body) => {
            if (type === Answer.output) {
              kept.push(body)
              preview(body)
            } else if (type === Answer.preview) preview(body)
            else if (type === Answer.want) input.grant(body.readUInt32BE(0))
            else if (type === Answer.ended) onEnded(body)
          },
          onLost: () => resume(runner.lost)
        })
        const input = new InputWindow(connection, id)
        connection.send(Request.start, id, ...startBody(flags, half, command))
        if (command.stdin !== undefined) input.putAll(command.stdin)
        return Effect.suspend(() => (connection.isOpen(id) ? kill(runner, id) : Effect.void))
      })
    )
  }

/** Bytes of standard output that may be under way; `Request.credit` renews it by the quarter. */
const outputWindow = 1024 * 1024

/** Output under way, or why there is none any more. */
type Output = Mailbox.Mailbox<Uint8Array, PipeFailed | "lost">

interface RunningPipe {
  readonly id: number
  readonly input: InputWindow
  readonly output: Output
}

const launch = (runner: Runner, argv: Command["argv"], output: Output): RunningPipe => {
  const { connection } = runner
  const onEnded = (body: Buffer) => {
    connection.forget(id)
    const { exitCode, tail } = readEnded(body)
    output.unsafeDone(exitCode === 0 ? Exit.void : Exit.fail(new PipeFailed({ exitCode, stderr: tail.toString() })))
  }
  const id = connection.listen({
    onAnswer: (type, body) => {
      if (type === Answer.output) output.unsafeOffer(body)
      else if (type === Answer.want) input.grant(body.readUInt32BE(0))
      else if (type === Answer.ended) onEnded(body)
    },
    onLost: () => void output.unsafeDone(Exit.fail("lost"))
  })
  const input = new InputWindow(connection, id)
  const flags = Start.pipe | Start.hasInput
  connection.send(Request.start, id, ...startBody(flags, outputWindow, { argv, timeoutMs: 0 }))
  return { id, input, output }
}

const startPipe = (runner: Runner, argv: Command["argv"]): Effect.Effect<RunningPipe, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.map(Mailbox.make<Uint8Array, PipeFailed | "lost">(), (output) => launch(runner, argv, output)),
    ({ id }) => (runner.connection.isOpen(id) ? kill(runner, id) : Effect.void)
  )

export const pipe =
  (runner: Runner): SandboxHandle["pipe"] =>
  (argv, input) => {
    const refused = refusedCommand({ argv })
    if (refused !== undefined)
      return Stream.fail(new PipeFailed({ exitCode: refused.exitCode, stderr: refused.output }))
    return Stream.unwrapScoped(
      Effect.map(startPipe(runner, argv), (running) => {
        let consumed = 0
        const renewCredit = (bytes: Uint8Array) =>
          Effect.sync(() => {
            consumed += bytes.length
            if (consumed < outputWindow / 4) return
            runner.connection.send(Request.credit, running.id, u32(consumed))
            consumed = 0
          })
        const output = Mailbox.toStream(running.output).pipe(
          Stream.tap(renewCredit),
          Stream.catchAll((error): Stream.Stream<never, PipeFailed | SandboxLost> =>
            error === "lost" ? Stream.fromEffect(runner.lost) : Stream.fail(error)
          )
        )
        const feeding = Stream.runForEachWhile(input, (bytes) => running.input.put(bytes)).pipe(
          Effect.zipRight(running.input.end)
        )
        return Stream.merge(output, Stream.drain(Stream.fromEffect(feeding)), { haltStrategy: "left" })
      })
    )
  }
