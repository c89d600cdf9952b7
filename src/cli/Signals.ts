/**
 * Signals of the operating system, as values: nothing is interrupted unless a command decides so.
 *
 * Owns: listening as long as the process lives, so that a second signal does not kill a command that cleans up.
 * Does not own: what a signal means (each command).
 */
import { Context, Deferred, Effect, Layer, Schema } from "effect"

/** `SIGPIPE` stands for a standard output that can't be written: nobody reads it any more, or its disk is full. */
export const Signal = Schema.Literal("SIGHUP", "SIGINT", "SIGPIPE", "SIGTERM")
export type Signal = typeof Signal.Type

/** Both wait until there is one, and may be asked as often as one likes: no signal is missed. */
export class Signals extends Context.Tag("errand/cli/Signals")<
  Signals,
  {
    /** The first signal that this process got. */
    readonly first: Effect.Effect<Signal>
    readonly second: Effect.Effect<Signal>
  }
>() {}

const caught = ["SIGHUP", "SIGINT", "SIGTERM"] as const

/** The service, and what tells it of a signal. */
export const make = Effect.gen(function* () {
  const first = yield* Deferred.make<Signal>()
  const second = yield* Deferred.make<Signal>()
  let count = 0
  return {
    signals: Signals.of({ first: Deferred.await(first), second: Deferred.await(second) }),
    unsafeSend: (signal: Signal) => {
      count++
      if (count <= 2) Deferred.unsafeDone(count === 1 ? first : second, Effect.succeed(signal))
    }
  }
})

export const layer: Layer.Layer<Signals> = Layer.scoped(
  Signals,
  Effect.gen(function* () {
    const { signals, unsafeSend } = yield* make
    const onSignal = (signal: NodeJS.Signals) => {
      if (Schema.is(Signal)(signal)) unsafeSend(signal)
    }
    const onOutputError = () => unsafeSend("SIGPIPE")
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
    return signals
  })
)
