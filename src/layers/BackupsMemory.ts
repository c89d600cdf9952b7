/** Backups as somebody says that they are. */
import { Effect, Layer, Option } from "effect"
import { Backups, type Replication, type RestoreProof } from "../services/Backups.ts"

export const layerWith = (known: {
  readonly replication?: Replication
  readonly lastProof?: RestoreProof
}): Layer.Layer<Backups> =>
  Layer.succeed(Backups, {
    replication: Effect.succeed(Option.fromNullable(known.replication)),
    lastProof: Effect.succeed(Option.fromNullable(known.lastProof))
  })

/** No replication, and nothing proven. */
export const layer = layerWith({})
