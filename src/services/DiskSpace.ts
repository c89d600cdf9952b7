/**
 * Whether there is room for new work where the data lives.
 *
 * Owns: watching the free space against the floor of the settings, and a reserve that lets the server write down what
 * it must when everything is full.
 * Does not own: what tasks do about it (`agent/work.ts`, `TaskRunner.ts`), a write that fails (`Transaction.ts`).
 */
import { Context, type Effect, type Option } from "effect"

export class DiskSpace extends Context.Tag("errand/services/DiskSpace")<
  DiskSpace,
  {
    /** Bytes, as they were measured last; none where they can't be. */
    readonly free: Effect.Effect<Option.Option<number>>
    /** True from the moment when there is less than the floor, until there is a fifth more than the floor again. */
    readonly low: Effect.Effect<boolean>
    /** Returns when space is low, or when it is not; at once when it is so already. */
    readonly until: (low: boolean) => Effect.Effect<void>
  }
>() {}
