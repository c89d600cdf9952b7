/**
 * Signing in a device with the help of somebody who is signed in already, or who sits at the server's terminal.
 *
 * Owns: the code that the new device shows once, its few tries and minutes, and that both sides saw the same number.
 * Does not own: the session that comes of it (`Sessions`).
 *
 *   open ── the new device claims ── it shows a number ── the other side types it ── the new device redeems
 */
import { Context, type Effect, type Option, type Redacted, Schema } from "effect"
import type { User } from "./Accounts.ts"
import type { DeviceId } from "./Ids.ts"
import { Timestamp } from "./Task.ts"
import type { StorageFull } from "./Transaction.ts"

export const pairingMinutes = 10
export const pairingTries = 5

/** What the side that opened a pairing may know of the device that claimed it. */
export const ClaimingDevice = Schema.Struct({
  name: Schema.String,
  address: Schema.String,
  userAgent: Schema.String
}).annotations({ identifier: "ClaimingDevice" })
export interface ClaimingDevice extends Schema.Schema.Type<typeof ClaimingDevice> {}

export const Pairing = Schema.Struct({
  id: Schema.String,
  /** Whose device the new one will be. */
  login: Schema.String,
  status: Schema.Literal("open", "claimed", "confirmed"),
  device: Schema.NullOr(ClaimingDevice),
  expiresAt: Timestamp
}).annotations({ identifier: "Pairing" })
export interface Pairing extends Schema.Schema.Type<typeof Pairing> {}

/** There is no such pairing, or not any more: it is used, refused, over, or was tried too often. */
export class PairingOver extends Schema.TaggedError<PairingOver>()("PairingOver", {}) {
  override get message() {
    return "This pairing is over, or there never was one. Ask for a new code."
  }
}

/** Nobody has confirmed the number yet. */
export class PairingPending extends Schema.TaggedError<PairingPending>()("PairingPending", {}) {
  override get message() {
    return "The other side has not confirmed the number yet."
  }
}

export class Pairings extends Context.Tag("errand/services/Pairings")<
  Pairings,
  {
    /**
     * The code is for one device of this login; a login that is no user yet becomes one when it is redeemed. It is over
     * with the device that opened it, which the terminal is not, and with the user.
     */
    readonly open: (
      login: string,
      by: Option.Option<DeviceId>
    ) => Effect.Effect<{ readonly pairing: Pairing; readonly code: string }, StorageFull>
    readonly find: (id: string) => Effect.Effect<Option.Option<Pairing>>
    /** The secret redeems it; the number is for the person to see. Another device with the same code comes too late. */
    readonly claim: (
      code: string,
      device: ClaimingDevice
    ) => Effect.Effect<
      {
        readonly id: string
        readonly secret: Redacted.Redacted
        readonly number: number
        readonly expiresAt: Timestamp
      },
      PairingOver | StorageFull
    >
    /** False for another number than the device shows. The fifth wrong try, of code or number, ends the pairing. */
    readonly confirm: (id: string, number: number) => Effect.Effect<boolean, PairingOver | StorageFull>
    /** False when there was none. */
    readonly refuse: (id: string) => Effect.Effect<boolean, StorageFull>
    /** Whose device it is now. Once. */
    readonly redeem: (
      id: string,
      secret: Redacted.Redacted
    ) => Effect.Effect<{ readonly user: User; readonly deviceName: string }, PairingPending | PairingOver | StorageFull>
  }
>() {}
