/** DiskSpace as somebody says it is. */
import { Effect, Layer, Stream, SubscriptionRef } from "effect"
import { DiskSpace } from "../services/DiskSpace.ts"

export const make = (low: SubscriptionRef.SubscriptionRef<boolean>) =>
  DiskSpace.of({
    free: Effect.succeedNone,
    low: SubscriptionRef.get(low),
    until: (wished) => Stream.runDrain(Stream.takeUntil(low.changes, (is) => is === wished))
  })

/** Low or not as the reference says. */
export const layerWith = (low: SubscriptionRef.SubscriptionRef<boolean>): Layer.Layer<DiskSpace> =>
  Layer.succeed(DiskSpace, make(low))

/** Never low. */
export const layer: Layer.Layer<DiskSpace> = Layer.effect(DiskSpace, Effect.map(SubscriptionRef.make(false), make))
