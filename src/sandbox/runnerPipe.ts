/** Running a program over a `RunnerConnection` as a pipe: bytes in and out, no faster than either side takes them. */
import { Chunk, Effect, Exit, Mailbox, Option, type Scope, Stream } from "effect"
import { type Command, PipeFailed, type SandboxHandle, type SandboxLost } from "../services/Sandbox.ts"
import { refusedCommand } from "./commandWords.ts"
import { Answer, Request, Start, u32 } from "./frames.ts"
import { InputWindow } from "./InputWindow.ts"
import { kill, readEnded, type Runner, startBody } from "./Runner.ts"

/** Bytes of standard output that may be under way; credit renews it by the quarter. */
const outputWindow = 1024 * 1024

/** Output under way, or why there is none any more. */
type Output<E> = Mailbox.Mailbox<Uint8Array, E | PipeFailed | "lost">

interface RunningPipe {
  readonly id: number
  readonly input: InputWindow
}

const launch = <E>({ connection }: Runner, argv: Command["argv"], output: Output<E>): RunningPipe => {
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
  return { id, input }
}

/** Takes what has come, and lets as much come again. */
const taking = <E>({ connection, lost }: Runner, id: number, output: Output<E>) => {
  let owed = 0
  const take = Effect.flatMap(output.takeAll, ([pieces, done]) => {
    if (done && Chunk.isEmpty(pieces)) return Effect.fail(Option.none())
    owed += Chunk.reduce(pieces, 0, (sum, piece) => sum + piece.length)
    if (owed >= outputWindow / 4) {
      connection.send(Request.credit, id, u32(owed))
      owed = 0
    }
    return Effect.succeed(pieces)
  })
  return Stream.repeatEffectChunkOption(
    Effect.catchAll(take, (error): Effect.Effect<never, Option.Option<E | PipeFailed | SandboxLost>> => {
      if (error === "lost") return Effect.mapError(lost, Option.some)
      return Effect.fail(Option.isOption(error) ? error : Option.some(error))
    })
  )
}

const open = <E>(
  runner: Runner,
  argv: Command["argv"],
  input: Stream.Stream<Uint8Array, E>
): Effect.Effect<Stream.Stream<Uint8Array, E | PipeFailed | SandboxLost>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const output: Output<E> = yield* Mailbox.make<Uint8Array, E | PipeFailed | "lost">()
    const running = yield* Effect.acquireRelease(
      Effect.sync(() => launch(runner, argv, output)),
      ({ id }) => kill(runner, id)
    )
    yield* Stream.runForEachWhile(input, (bytes) => running.input.put(bytes)).pipe(
      Effect.zipRight(running.input.end),
      Effect.catchAllCause((cause) => output.failCause(cause)),
      Effect.forkScoped
    )
    return taking(runner, running.id, output)
  })

export const pipe =
  (runner: Runner): SandboxHandle["pipe"] =>
  (argv, input) => {
    const refused = refusedCommand({ argv })
    return refused === undefined
      ? Stream.unwrapScoped(open(runner, argv, input))
      : Stream.fail(new PipeFailed({ exitCode: refused.exitCode, stderr: refused.output }))
  }
