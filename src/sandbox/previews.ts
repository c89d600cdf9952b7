/** Showing output while it comes, without ever waiting for who looks at it. */
import { Effect, Fiber, Mailbox } from "effect"

/** Pieces that wait for a slow viewer; older ones are left out. */
const waitingPieces = 16
/** How long the end of a command waits for a viewer who is behind. */
const lastLook = "100 millis"

export type Preview = (chunk: Uint8Array) => void

/** Gives `body` a function that shows pieces to `onOutput`, in order and one at a time. */
export const withPreviews = <A, E, R>(
  onOutput: ((chunk: Uint8Array) => Effect.Effect<void>) | undefined,
  body: (preview: Preview) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  if (onOutput === undefined) return body(() => {})
  return Effect.flatMap(Mailbox.make<Uint8Array>({ capacity: waitingPieces, strategy: "sliding" }), (pieces) => {
    const show = Effect.forever(Effect.flatMap(pieces.take, onOutput)).pipe(Effect.ignore)
    return Effect.acquireUseRelease(
      Effect.fork(Effect.interruptible(show)),
      () =>
        Effect.tap(
          body((chunk) => void pieces.unsafeOffer(chunk)),
          Effect.zipRight(pieces.end, Effect.void)
        ),
      (viewer, exit) =>
        exit._tag === "Success"
          ? Effect.interruptible(Fiber.await(viewer)).pipe(
              Effect.timeoutOption(lastLook),
              Effect.zipRight(Fiber.interrupt(viewer))
            )
          : Fiber.interrupt(viewer)
    )
  })
}
