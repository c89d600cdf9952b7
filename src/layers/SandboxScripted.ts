/**
 * Sandbox that runs nothing: files in memory, and commands that are answered from a list.
 *
 * For tests, and for trying the application without an engine. Git sees no change in it, so that a task in it ends
 * without a commit.
 *
 * Owns: finding the answer to a command, and treating it as a real sandbox treats a program.
 * Does not own: what the answers are.
 */
import { Chunk, Clock, type Duration, Effect, Layer, Mailbox, Ref, Stream } from "effect"
import layOutScript from "../agent/workspace/layOut.sh?raw"
import snapshotScript from "../agent/workspace/snapshot.sh?raw"
import { bounded } from "../sandbox/bounded.ts"
import { refusedCommand } from "../sandbox/commandWords.ts"
import { KeptOutput } from "../sandbox/KeptOutput.ts"
import { MemoryFiles } from "../sandbox/MemoryFiles.ts"
import {
  type Command,
  type CommandResult,
  PipeFailed,
  Sandbox,
  type SandboxHandle,
  SandboxLost,
  type SandboxUnavailable
} from "../services/Sandbox.ts"
import { NetworkMode } from "../services/Task.ts"

/** A command that is being answered. */
export interface ScriptedCall {
  readonly command: Pick<Command, "argv" | "cwd" | "env">
  /** All of its standard input. */
  readonly stdin: Uint8Array
  /** Absolute path of the directory it starts in. */
  readonly cwd: string
  readonly files: MemoryFiles
  readonly write: (output: string | Uint8Array) => Effect.Effect<void>
  /** Standard error, where that is apart from standard output: in pipes. */
  readonly complain: (text: string) => Effect.Effect<void>
}

/** What a command does: its output and exit code, after some time; or whatever the function does, which gives the exit code. */
export type ScriptedAnswer =
  | { readonly output?: string; readonly exitCode?: number; readonly after?: Duration.DurationInput }
  | ((call: ScriptedCall) => Effect.Effect<number, SandboxLost>)

export interface ScriptedCommand {
  /** The script given to `sh -c` or `bash -c`, or else the words with spaces between them: the whole, or what matches. */
  readonly when: string | RegExp
  readonly then: ScriptedAnswer
}

export interface Options {
  /** The first that fits is the answer; what fits none ends with 127. */
  readonly commands?: ReadonlyArray<ScriptedCommand>
  /** The files of every new sandbox, relative to the root. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
  /** Comes before every opening: time that it takes, or a failure. */
  readonly opening?: Effect.Effect<void, SandboxUnavailable>
}

const root = "/workspace"

/** What the agent itself does with git: the work tree takes whatever is laid out, and never changes. */
const bookkeeping: ReadonlyArray<readonly [script: string, answer: ScriptedAnswer]> = [
  [layOutScript, {}],
  [snapshotScript, { output: "unchanged\n" }]
]

const lineOf = (argv: Command["argv"]): string =>
  /^(?:ba)?sh$/.test(argv[0]) && argv[1] === "-c" && argv[2] !== undefined ? argv[2] : argv.join(" ")

const fits = (when: string | RegExp, line: string) => (typeof when === "string" ? when === line : when.test(line))

const answerTo = (argv: Command["argv"], commands: ReadonlyArray<ScriptedCommand>): ScriptedAnswer => {
  const line = lineOf(argv)
  return (
    commands.find(({ when }) => fits(when, line))?.then ??
    bookkeeping.find(([script]) => argv.includes(script))?.[1] ?? {
      output: `No answer is scripted for: ${line}\n`,
      exitCode: 127
    }
  )
}

const perform = (answer: ScriptedAnswer, call: ScriptedCall): Effect.Effect<number, SandboxLost> =>
  typeof answer === "function"
    ? answer(call)
    : Effect.as(Effect.delay(call.write(answer.output ?? ""), answer.after ?? 0), answer.exitCode ?? 0)

const asBytes = (output: string | Uint8Array) =>
  typeof output === "string" ? new TextEncoder().encode(output) : output

const handleOf = (options: Options, closed: Ref.Ref<boolean>): SandboxHandle => {
  const files = new MemoryFiles(root, options.files ?? {})
  const answers = options.commands ?? []
  const whileOpen = Effect.flatMap(Ref.get(closed), (isClosed) =>
    isClosed ? new SandboxLost({ detail: "The sandbox was lost: it was closed." }) : Effect.void
  )
  const callOf = (
    command: ScriptedCall["command"],
    stdin: Uint8Array,
    write: (bytes: Uint8Array) => void,
    complain: (text: string) => void
  ): ScriptedCall => ({
    command,
    stdin,
    cwd: command.cwd?.startsWith("/") === true ? command.cwd : [root, command.cwd].filter(Boolean).join("/"),
    files,
    write: (output) => Effect.sync(() => write(asBytes(output))),
    complain: (text) => Effect.sync(() => complain(text))
  })

  const run: SandboxHandle["run"] = (command, onOutput) => {
    const refused = refusedCommand(command)
    if (refused !== undefined) return Effect.succeed(refused)
    return Effect.gen(function* () {
      yield* whileOpen
      const began = yield* Clock.currentTimeMillis
      const kept = KeptOutput.halves(command.outputLimit)
      const write = (bytes: Uint8Array) => {
        kept.push(bytes)
        onOutput?.(bytes)
      }
      const call = callOf(command, command.stdin ?? new Uint8Array(0), write, (text) => write(asBytes(text)))
      const heard = () => kept.bytes
      const end = yield* bounded(command, heard, perform(answerTo(command.argv, answers), call))
      const result: CommandResult = {
        ...end,
        output: kept.text,
        bytes: kept.bytes,
        durationMs: (yield* Clock.currentTimeMillis) - began
      }
      return result
    })
  }

  const pipe: SandboxHandle["pipe"] = <E>(argv: Command["argv"], input: Stream.Stream<Uint8Array, E>) =>
    Stream.unwrapScoped(
      Effect.gen(function* () {
        yield* whileOpen
        const output = yield* Mailbox.make<Uint8Array, E | PipeFailed | SandboxLost>()
        const program = Effect.gen(function* () {
          const stdin = Buffer.concat(Chunk.toReadonlyArray(yield* Stream.runCollect(input)))
          let stderr = ""
          const call = callOf(
            { argv },
            stdin,
            (bytes) => output.unsafeOffer(bytes),
            (text) => (stderr += text)
          )
          const exitCode = yield* perform(answerTo(argv, answers), call)
          if (exitCode !== 0) return yield* new PipeFailed({ exitCode, stderr })
        })
        yield* Effect.forkScoped(Mailbox.into(program, output))
        return Mailbox.toStream(output)
      })
    )

  return {
    root,
    run,
    pipe,
    readFile: (path, range) => Effect.zipRight(whileOpen, files.read(path, range)),
    writeFile: (path, bytes) => Effect.zipRight(whileOpen, files.write(path, bytes)),
    treeChanged: Effect.succeed(true),
    edits: Effect.succeedNone,
    refusals: Effect.succeed([])
  }
}

export const layerWith = (options: Options): Layer.Layer<Sandbox> =>
  Layer.succeed(
    Sandbox,
    Sandbox.of({
      open: Effect.fn("Sandbox.open")(function* () {
        yield* options.opening ?? Effect.void
        const closed = yield* Effect.acquireRelease(Ref.make(false), (closed) => Ref.set(closed, true))
        return handleOf(options, closed)
      }),
      sweep: Effect.succeed(0),
      health: Effect.succeed({ adapter: "scripted", ready: true, detail: "Commands are answered from a script." }),
      networkModes: NetworkMode.literals
    })
  )

/** A sandbox in which no command is known but the agent's own. */
export const layer: Layer.Layer<Sandbox> = layerWith({})
