/** Running a command over a `RunnerConnection` to its end, with its output kept. */
import { Effect } from "effect"
import type { Command, CommandResult, SandboxHandle, SandboxLost } from "../services/Sandbox.ts"
import { refusedCommand } from "./commandWords.ts"
import { Answer, Request, Start } from "./frames.ts"
import { InputWindow } from "./InputWindow.ts"
import { KeptOutput } from "./KeptOutput.ts"
import { kill, readEnded, type Runner, startBody } from "./Runner.ts"

/** Pieces of output that wait for a slow viewer; older ones are left out. */
const waitingPieces = 16

class RunningCommand {
  readonly id: number
  readonly #runner: Runner
  readonly #kept: KeptOutput
  readonly #input: InputWindow
  readonly #shown: boolean
  #unseen: Array<Uint8Array> = []
  #outcome: Effect.Effect<CommandResult, SandboxLost> | undefined
  /** Told once, when there is news. */
  #onNews: (() => void) | undefined

  constructor(runner: Runner, command: Command, shown: boolean) {
    const { connection } = runner
    const half = Math.max(0, Math.floor(command.outputLimit / 2))
    this.#runner = runner
    this.#kept = new KeptOutput(half, half)
    this.#shown = shown
    this.id = connection.listen({
      onAnswer: (type, body) => this.#onAnswer(type, body),
      onLost: () => this.#end(runner.lost)
    })
    this.#input = new InputWindow(connection, this.id)
    const flags = (command.stdin === undefined ? 0 : Start.hasInput) | (shown ? Start.previews : 0)
    connection.send(Request.start, this.id, ...startBody(flags, half, command))
    if (command.stdin !== undefined) this.#input.putAll(command.stdin)
  }

  readonly outcome = Effect.async<CommandResult, SandboxLost>((resume) =>
    this.#listen(() => {
      if (this.#outcome === undefined) return false
      resume(this.#outcome)
      return true
    })
  )

  /** Returns when there is output that nobody has seen, or the command has ended. */
  readonly news = Effect.async<void>((resume) =>
    this.#listen(() => {
      if (this.#outcome === undefined && this.#unseen.length === 0) return false
      resume(Effect.void)
      return true
    })
  )

  get hasEnded(): boolean {
    return this.#outcome !== undefined
  }

  takeUnseen(): ReadonlyArray<Uint8Array> {
    const unseen = this.#unseen
    this.#unseen = []
    return unseen
  }

  /** Asks now and at all news whether that is what was waited for. */
  #listen(satisfied: () => boolean): void {
    if (satisfied()) return
    this.#onNews = () => {
      if (satisfied()) this.#onNews = undefined
    }
  }

  #onAnswer(type: number, body: Buffer): void {
    switch (type) {
      case Answer.output:
        this.#kept.push(body)
        return this.#show(body)
      case Answer.preview:
        return this.#show(body)
      case Answer.want:
        return this.#input.grant(body.readUInt32BE(0))
      case Answer.ended:
        return this.#onEnded(body)
    }
  }

  #show(piece: Uint8Array): void {
    if (!this.#shown) return
    if (this.#unseen.length === waitingPieces) this.#unseen.shift()
    this.#unseen.push(piece)
    this.#onNews?.()
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
    this.#onNews?.()
  }
}

/** A viewer who is slow is not waited for. */
const show = (running: RunningCommand, onOutput: (chunk: Uint8Array) => Effect.Effect<void>) =>
  Effect.gen(function* () {
    while (true) {
      yield* running.news
      // What came with the end is in the result, which is on its way.
      if (running.hasEnded) return yield* running.outcome
      yield* Effect.raceFirst(
        Effect.forEach(running.takeUnseen(), onOutput, { discard: true }),
        Effect.exit(running.outcome)
      )
    }
  })

export const run =
  (runner: Runner): SandboxHandle["run"] =>
  (command, onOutput) => {
    const refused = refusedCommand(command)
    if (refused !== undefined) return Effect.succeed(refused)
    return Effect.acquireUseRelease(
      Effect.sync(() => new RunningCommand(runner, command, onOutput !== undefined)),
      (running) => (onOutput === undefined ? running.outcome : show(running, onOutput)),
      (running) => kill(runner, running.id)
    )
  }
