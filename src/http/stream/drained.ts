/** Waits until the client keeps up. */
import { Effect } from "effect"
import type { Outbox } from "./Outbox.ts"

export const drained = (outbox: Outbox): Effect.Effect<void> =>
  Effect.async((resume) => outbox.whenDrained(() => resume(Effect.void)))
