/**
 * State in memory that a transaction changes as a whole.
 *
 * Owns: immutable values in slices, one for each adapter; what a transaction has written of them, until it is committed.
 * Does not own: when a transaction begins and ends (`TransactionMemory.ts`).
 */
import { Context, Effect, Layer, Option, Ref } from "effect"

/** The transaction that is open here. */
export class OpenTransaction extends Context.Tag("errand/layers/memory/OpenTransaction")<
  OpenTransaction,
  {
    readonly afterCommit: Ref.Ref<ReadonlyArray<Effect.Effect<void>>>
    readonly active: Ref.Ref<boolean>
  }
>() {}

export const openHere: Effect.Effect<Option.Option<typeof OpenTransaction.Service>> = Effect.flatMap(
  Effect.serviceOption(OpenTransaction),
  Option.match({
    onNone: () => Effect.succeedNone,
    onSome: (open) => Effect.map(Ref.get(open.active), (active) => (active ? Option.some(open) : Option.none()))
  })
)

/** Inside a transaction its own writes are seen, elsewhere what was committed last. Write in a transaction only. */
export interface Slice<S> {
  readonly get: Effect.Effect<S>
  readonly modify: <A>(change: (state: S) => readonly [A, S]) => Effect.Effect<A>
  readonly update: (change: (state: S) => S) => Effect.Effect<void>
}

export class MemoryState extends Context.Tag("errand/layers/memory/MemoryState")<
  MemoryState,
  {
    readonly slice: <S>(initial: S) => Effect.Effect<Slice<S>>
    /** Starts from what was committed. */
    readonly begin: Effect.Effect<void>
    readonly commit: Effect.Effect<void>
    /** Remembers what is written so far; the effect inside goes back to it. */
    readonly mark: Effect.Effect<Effect.Effect<void>>
  }
>() {}

interface Versions {
  readonly begin: Effect.Effect<void>
  readonly commit: Effect.Effect<void>
  readonly mark: Effect.Effect<Effect.Effect<void>>
}

export const layer: Layer.Layer<MemoryState> = Layer.effect(
  MemoryState,
  Effect.gen(function* () {
    const slices = yield* Ref.make<ReadonlyArray<Versions>>([])
    const forAll = (act: (versions: Versions) => Effect.Effect<void>) =>
      Effect.flatMap(Ref.get(slices), Effect.forEach(act, { discard: true }))

    const slice = Effect.fnUntraced(function* <S>(initial: S) {
      const committed = yield* Ref.make(initial)
      const written = yield* Ref.make(initial)
      const visible = Effect.map(openHere, (open) => (Option.isSome(open) ? written : committed))
      yield* Ref.update(slices, (all) => [
        ...all,
        {
          begin: Effect.flatMap(Ref.get(committed), (state) => Ref.set(written, state)),
          commit: Effect.flatMap(Ref.get(written), (state) => Ref.set(committed, state)),
          mark: Effect.map(Ref.get(written), (state) => Ref.set(written, state))
        }
      ])
      return {
        get: Effect.flatMap(visible, Ref.get),
        modify: (change) => Effect.flatMap(visible, Ref.modify(change)),
        update: (change) => Effect.flatMap(visible, Ref.update(change))
      } satisfies Slice<S>
    })

    return MemoryState.of({
      slice,
      begin: forAll((versions) => versions.begin),
      commit: forAll((versions) => versions.commit),
      mark: Effect.map(
        Effect.flatMap(
          Ref.get(slices),
          Effect.forEach((versions) => versions.mark)
        ),
        (restores) => Effect.all(restores, { discard: true })
      )
    })
  })
)
