/**
 * Waits for the first piece of a stream, so that a failure at the start is still an answer and not a broken download.
 */
import { type Chunk, Effect, Option, type Scope, Stream } from "effect"

export const firstThenRest = <A, E, R>(
  stream: Stream.Stream<A, E, R>
): Effect.Effect<Stream.Stream<A, E>, E, R | Scope.Scope> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<R>()
    const pull = yield* Stream.toPull(Stream.provideContext(stream, context))
    const first = yield* Effect.matchEffect(pull, {
      onFailure: Option.match({
        onNone: () => Effect.succeed(Option.none<Chunk.Chunk<A>>()),
        onSome: (error) => Effect.fail(error)
      }),
      onSuccess: (chunk) => Effect.succeed(Option.some(chunk))
    })
    return Option.match(first, {
      onNone: () => Stream.empty,
      onSome: (chunk) => Stream.concat(Stream.fromChunk(chunk), Stream.repeatEffectChunkOption(pull))
    })
  })
