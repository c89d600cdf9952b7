/** Running a command over a `RunnerConnection` to its end, with its output kept. */
import { Effect } from "effect"
import type { Command, CommandResult, SandboxHandle, SandboxLost } from "../services/Sandbox.ts"
import { refusedCommand } from "./commandWords.ts"
import { Answer, Request, Start } from "./frames.ts"
import { InputWindow } from "./InputWindow.ts"
import { KeptOutput } from "./KeptOutput.ts"
import { kill, readEnded, type Runner, startBody } from "./Runner.ts"

type OnOutput = (chunk: Uint8Array) => void

class RunningCommand {
  readonly id: number
  readonly #runner: Runner
  readonly #kept: KeptOutput
  readonly #input: InputWindow
  readonly #onOutput: OnOutput | undefined
  #outcome: Effect.Effect<CommandResult, SandboxLost> | undefined
  #resume: ((outcome: Effect.Effect<CommandResult, SandboxLost>) => void) | undefined

  constructor(runner: Runner, command: Command, onOutput: OnOutput | undefined) {
    const { connection } = runner
    const half = Math.max(0, Math.floor(command.outputLimit / 2))
    this.#runner = runner
    this.#kept = new KeptOutput(half, half)
    this.#onOutput = onOutput
    this.id = connection.listen({
      onAnswer: (type, body) => this.#onAnswer(type, body),
      onLost: () => this.#end(runner.lost)
    })
    this.#input = new InputWindow(connection, this.id)
    const flags = (command.stdin === undefined ? 0 : Start.hasInput) | (onOutput === undefined ? 0 : Start.previews)
    connection.send(Request.start, this.id, ...startBody(flags, half, command))
    if (command.stdin !== undefined) this.#input.putAll(command.stdin)
  }

  /** For one fiber. */
  readonly outcome = Effect.async<CommandResult, SandboxLost>((resume) => {
    if (this.#outcome === undefined) this.#resume = resume
    else resume(this.#outcome)
  })

  #onAnswer(type: number, body: Buffer): void {
    switch (type) {
      case Answer.output:
        this.#kept.push(body)
        return this.#onOutput?.(body)
      case Answer.preview:
        return this.#onOutput?.(body)
      case Answer.want:
        return this.#input.grant(body.readUInt32BE(0))
      case Answer.ended:
        return this.#onEnded(body)
    }
  }

  #onEnded(body: Buffer): void {
    this.#runner.connection.forget(this.id)
    const { bytes, durationMs, exitCode, silent, tail, timedOut } = readEnded(body)
    this.#kept.skip(bytes - this.#kept.bytes - tail.length)
    this.#kept.push(tail)
    this.#end(Effect.succeed({ exitCode, timedOut, silent, output: this.#kept.text, bytes, durationMs }))
  }

  #end(outcome: Effect.Effect<CommandResult, SandboxLost>): void {
    this.#outcome = outcome
    this.#resume?.(outcome)
  }
}

export const run =
  (runner: Runner): SandboxHandle["run"] =>
  (command, onOutput) => {
    const refused = refusedCommand(command)
    if (refused !== undefined) return Effect.succeed(refused)
    return Effect.acquireUseRelease(
      Effect.sync(() => new RunningCommand(runner, command, onOutput)),
      (running) => running.outcome,
      (running) => kill(runner, running.id)
    )
  }
