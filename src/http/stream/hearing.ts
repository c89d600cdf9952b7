/**
 * What a socket hears, one after the other.
 *
 * Owns: keeping what is not understood yet, and leaving the rest in the network.
 */
import { Effect, Option, Queue } from "effect"
import type { WebSocket } from "ws"

/** `Gap`: the log of a stream must be read again. */
export type Heard =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Binary" }
  | { readonly _tag: "Gap"; readonly name: string }

export interface Hearing {
  readonly next: Effect.Effect<Heard>
  readonly add: (heard: Heard) => void
}

const mostHeard = 64

export const makeHearing = (socket: WebSocket): Effect.Effect<Hearing> =>
  Effect.map(Queue.unbounded<Heard>(), (queue) => {
    const size = () => Option.getOrElse(queue.unsafeSize(), () => 0)
    const add = (heard: Heard) => void queue.unsafeOffer(heard)
    socket.on("message", (data, isBinary) => {
      add(isBinary || !Buffer.isBuffer(data) ? { _tag: "Binary" } : { _tag: "Text", text: data.toString() })
      if (size() >= mostHeard) socket.pause()
    })
    const resume = Effect.sync(() => {
      if (socket.isPaused && size() < mostHeard / 2) socket.resume()
    })
    return { add, next: Effect.zipLeft(Queue.take(queue), resume) }
  })
