/** Doing something once for all who ask for it while it is being done. */
import { Deferred, Effect, Fiber, FiberId, type Scope } from "effect"

interface Turn<A, E> {
  readonly work: Effect.Effect<A, E>
  readonly outcome: Deferred.Deferred<A, E>
  waiting: number
  fiber: Fiber.Fiber<unknown> | undefined
}

interface Turns<A, E> {
  now: Turn<A, E>
  /** Begins when `now` has ended. */
  next: Turn<A, E> | undefined
}

/**
 * Does the work of a key, one turn after the other. Whoever asks during a turn waits for the next one, together with all
 * others who do: what anybody learns began after they asked, and eight who ask at once make two turns. A turn that nobody
 * waits for any more is interrupted. The work must be the same for all who use a key.
 */
export type Together<A, E> = (key: string, work: Effect.Effect<A, E>) => Effect.Effect<A, E>

/** Turns end with the scope. */
export const makeTogether = <A, E>(): Effect.Effect<Together<A, E>, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    const keys = new Map<string, Turns<A, E>>()

    const begin = (key: string, turn: Turn<A, E>): Effect.Effect<void> =>
      Effect.map(
        turn.work.pipe(
          Effect.interruptible,
          Effect.intoDeferred(turn.outcome),
          Effect.ensuring(Effect.suspend(() => goOn(key))),
          Effect.forkIn(scope)
        ),
        (fiber) => {
          turn.fiber = fiber
        }
      )

    const goOn = (key: string): Effect.Effect<void> => {
      const turns = keys.get(key)
      if (turns?.next === undefined) {
        keys.delete(key)
        return Effect.void
      }
      turns.now = turns.next
      turns.next = undefined
      return begin(key, turns.now)
    }

    const join = (key: string, work: Effect.Effect<A, E>) => {
      const turn: Turn<A, E> = { work, outcome: Deferred.unsafeMake(FiberId.none), waiting: 1, fiber: undefined }
      const turns = keys.get(key)
      if (turns === undefined) {
        keys.set(key, { now: turn, next: undefined })
        return Effect.as(begin(key, turn), turn)
      }
      if (turns.next === undefined) turns.next = turn
      else turns.next.waiting += 1
      return Effect.succeed(turns.next)
    }

    const leave = (key: string, turn: Turn<A, E>) => {
      turn.waiting -= 1
      if (turn.waiting > 0) return Effect.void
      const turns = keys.get(key)
      if (turns?.next === turn) turns.next = undefined
      return turn.fiber === undefined ? Effect.void : Fiber.interrupt(turn.fiber)
    }

    return (key, work) =>
      Effect.acquireUseRelease(
        Effect.suspend(() => join(key, work)),
        (turn) => Deferred.await(turn.outcome),
        (turn) => leave(key, turn)
      )
  })
