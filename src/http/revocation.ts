/**
 * The end of a device's validity, for connections that outlive the request that opened them.
 *
 * A connection lasts as long as its device, not as its access token: that one is checked when the connection begins.
 */
import { Effect, Option, Schedule } from "effect"
import { Accounts } from "../services/Accounts.ts"
import type { DeviceId } from "../services/Ids.ts"

/** A revoked device's streams end within five seconds: this leaves one for the answer. */
export const recheckEvery = "4 seconds"

/** Ends when nobody acts on the device any longer. */
export const makeRevocation = Effect.map(
  Accounts,
  (accounts) =>
    (device: DeviceId): Effect.Effect<void> =>
      accounts
        .principal(device)
        .pipe(Effect.repeat({ schedule: Schedule.spaced(recheckEvery), until: Option.isNone }), Effect.asVoid)
)
