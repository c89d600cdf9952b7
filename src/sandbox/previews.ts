/** Showing output while it comes, without ever waiting for who looks at it. */
import { Effect, Mailbox } from "effect"

/** Pieces that wait for a slow viewer; older ones are left out. */
const waitingPieces = 16

export type Preview = (chunk: Uint8Array) => void

/** Gives `body` a function that shows pieces to `onOutput`, in order and one at a time, until `body` ends. */
export const withPreviews = <A, E, R>(
  onOutput: ((chunk: Uint8Array) => Effect.Effect<void>) | undefined,
  body: (preview: Preview) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  onOutput === undefined
    ? body(() => {})
    : Effect.flatMap(Mailbox.make<Uint8Array>({ capacity: waitingPieces, strategy: "sliding" }), (pieces) =>
        Effect.raceFirst(
          body((chunk) => void pieces.unsafeOffer(chunk)),
          Effect.zipRight(Effect.ignore(Effect.forever(Effect.flatMap(pieces.take, onOutput))), Effect.never)
        )
      )
