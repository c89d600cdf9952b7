/**
 * Signals of the operating system, as values: nothing is interrupted unless a command decides so.
 *
 * Owns: listening as long as the process lives, so that a second signal does not kill a command that cleans up.
 * Does not own: what a signal means (each command).
 */
import { Context, Effect, Layer, Queue, Schema } from "effect"

/** `SIGPIPE` stands for a standard output that can't be written: nobody reads it any more, or its disk is full. */
export const Signal = Schema.Literal("SIGHUP", "SIGINT", "SIGPIPE", "SIGTERM")
export type Signal = typeof Signal.Type

export class Signals extends Context.Tag("errand/cli/Signals")<
  Signals,
  {
    /** The next signal that nobody has taken yet. */
    readonly next: Effect.Effect<Signal>
  }
>() {}

const caught = ["SIGHUP", "SIGINT", "SIGTERM"] as const

export const layer: Layer.Layer<Signals> = Layer.scoped(
  Signals,
  Effect.gen(function* () {
    const queue = yield* Queue.sliding<Signal>(1)
    const onSignal = (signal: NodeJS.Signals) => {
      if (Schema.is(Signal)(signal)) queue.unsafeOffer(signal)
    }
    const onOutputError = () => void queue.unsafeOffer("SIGPIPE")
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        for (const signal of caught) process.on(signal, onSignal)
        process.stdout.on("error", onOutputError)
      }),
      () =>
        Effect.sync(() => {
          for (const signal of caught) process.off(signal, onSignal)
          process.stdout.off("error", onOutputError)
        })
    )
    return Signals.of({ next: Queue.take(queue) })
  })
)
