/** Where refresh tokens and signing keys are kept: the one part in which the adapters of Sessions differ. */
import type { Effect, Option } from "effect"
import type { DeviceId } from "../../services/Ids.ts"
import type { Timestamp } from "../../services/Task.ts"

export interface StoredRefreshToken {
  readonly hash: string
  readonly deviceId: DeviceId
  readonly createdAt: Timestamp
  readonly usedAt: Timestamp | null
  /** The token that came after it, sealed; null again when a repeated refresh gets it no longer. */
  readonly successor: Uint8Array | null
}

export interface SigningKey {
  readonly id: string
  readonly sealed: Uint8Array
  readonly createdAt: Timestamp
  /** When it stops being good; null for the one that signs. */
  readonly retiresAt: Timestamp | null
}

/** What writes is called in a transaction. */
export interface SessionStore {
  readonly addToken: (token: StoredRefreshToken) => Effect.Effect<void>
  readonly findToken: (hash: string) => Effect.Effect<Option.Option<StoredRefreshToken>>
  readonly useToken: (hash: string, usedAt: Timestamp, successor: Uint8Array) => Effect.Effect<void>
  /** Forgets the successors of a device's tokens that were used before this moment. */
  readonly forgetSuccessors: (deviceId: DeviceId, before: Timestamp) => Effect.Effect<void>
  /** Forgets the tokens of devices that were revoked, or whose session has ended by now. */
  readonly tidy: (now: Timestamp) => Effect.Effect<void>
  readonly key: (id: string) => Effect.Effect<Option.Option<SigningKey>>
  /** The one that signs; none before the first. */
  readonly currentKey: Effect.Effect<Option.Option<SigningKey>>
  readonly addKey: (key: SigningKey) => Effect.Effect<void>
  /** Lets every key that signs, or is still good after this moment, end then. */
  readonly retireKeys: (at: Timestamp) => Effect.Effect<void>
}
