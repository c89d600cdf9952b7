/** Egress without sockets, for tests and for sandboxes that have no commands: it remembers policies and opens nothing. */
import { Effect, Layer, Ref } from "effect"
import { Egress, type Refusal } from "../services/Egress.ts"

export interface Options {
  /** What every sandbox is kept from, told once. */
  readonly refusals?: ReadonlyArray<Refusal>
}

export const layerWith = ({ refusals = [] }: Options): Layer.Layer<Egress> =>
  Layer.succeed(
    Egress,
    Egress.of({
      open: Effect.fn("Egress.open")(function* () {
        const untold = yield* Ref.make(refusals)
        return { directory: null, secrets: null, refusals: Ref.getAndSet(untold, []) }
      }),
      allow: () => Effect.void
    })
  )

export const layer = layerWith({})
