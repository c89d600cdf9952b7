/**
 * Transactions over state in memory: one at a time, kept only when it succeeds.
 *
 * Gives `MemoryState` too, where the adapters that take part keep what they know.
 */
import { Effect, Equal, Exit, FiberId, Layer, Option, Ref } from "effect"
import { Transaction } from "../services/Transaction.ts"
import * as MemoryState from "./memory/MemoryState.ts"

const make = Effect.gen(function* () {
  const state = yield* MemoryState.MemoryState
  const turn = yield* Effect.makeSemaphore(1)
  const announcer = yield* Ref.make<FiberId.FiberId>(FiberId.none)

  const announce = (hooks: ReadonlyArray<Effect.Effect<void>>) =>
    Effect.flatMap(Effect.fiberId, (id) => Ref.set(announcer, id)).pipe(
      Effect.zipRight(
        Effect.forEach(
          hooks,
          Effect.catchAllCause((cause) => Effect.logError("What follows a commit failed.", cause)),
          { discard: true }
        )
      ),
      Effect.zipRight(Ref.set(announcer, FiberId.none))
    )

  const runWhole = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        yield* state.begin
        const open = {
          afterCommit: yield* Ref.make<ReadonlyArray<Effect.Effect<void>>>([]),
          active: yield* Ref.make(true)
        }
        const exit = yield* Effect.exit(restore(Effect.provideService(effect, MemoryState.OpenTransaction, open)))
        yield* Ref.set(open.active, false)
        if (Exit.isSuccess(exit)) {
          yield* state.commit
          yield* announce(yield* Ref.get(open.afterCommit))
        }
        return yield* exit
      })
    )

  /** A transaction inside a transaction is a part of it: its failure undoes the part. */
  const runPart = <A, E, R>(open: typeof MemoryState.OpenTransaction.Service, effect: Effect.Effect<A, E, R>) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const goBack = yield* state.mark
        const hooks = yield* Ref.get(open.afterCommit)
        const exit = yield* Effect.exit(restore(effect))
        if (Exit.isFailure(exit)) {
          yield* goBack
          yield* Ref.set(open.afterCommit, hooks)
        }
        return yield* exit
      })
    )

  const refuseWhileAnnouncing = Effect.zipWith(Effect.fiberId, Ref.get(announcer), Equal.equals).pipe(
    Effect.filterOrDieMessage(
      (isAnnouncer) => !isAnnouncer,
      "What follows a commit must not wait for another transaction: fork it."
    )
  )

  return Transaction.of({
    run: <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.flatMap(
        MemoryState.openHere,
        Option.match({
          onSome: (open) => runPart(open, effect),
          onNone: () => Effect.zipRight(refuseWhileAnnouncing, turn.withPermits(1)(runWhole(effect)))
        })
      ),
    afterCommit: (effect) =>
      Effect.flatMap(
        MemoryState.openHere,
        Option.match({
          onSome: (open) => Ref.update(open.afterCommit, (hooks) => [...hooks, effect]),
          onNone: () => effect
        })
      )
  })
})

export const layer: Layer.Layer<Transaction | MemoryState.MemoryState> = Layer.effect(Transaction, make).pipe(
  Layer.provideMerge(MemoryState.layer)
)
