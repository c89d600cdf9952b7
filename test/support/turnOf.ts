/** A turn of the model as a stream, for tests that stop it or look at its order. */
import { Effect, Stream } from "effect"
import type { ClaudeClient, ClaudeError, Response, TurnEvent, TurnRequest } from "../../src/services/ClaudeClient.ts"

/** What a turn tells, its answer last. */
export type Told = TurnEvent | { readonly _tag: "Finished"; readonly response: Response }

export const turnOf = (client: typeof ClaudeClient.Service, request: TurnRequest): Stream.Stream<Told, ClaudeError> =>
  Stream.asyncPush((emit) =>
    client
      .turn(request, (event) => void emit.single(event))
      .pipe(
        Effect.matchCause({
          onFailure: (cause) => emit.halt(cause),
          onSuccess: (response) => {
            emit.single({ _tag: "Finished", response })
            emit.end()
          }
        }),
        Effect.forkScoped
      )
  )
