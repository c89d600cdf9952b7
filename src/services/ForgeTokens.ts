/**
 * What a user's sign-in at a forge lets Errand do there.
 *
 * Owns: one grant for each user and forge, encrypted at rest, renewed before it expires: once, however many ask for it.
 * Does not own: how somebody signs in (`ForgeSignIn`), credentials that a user stored by hand (`GitCredentials`).
 */
import { Context, type Effect, type Option, type Redacted, Schema } from "effect"
import type { UserId } from "./Ids.ts"
import { Timestamp } from "./Task.ts"
import type { StorageFull } from "./Transaction.ts"

/** What a forge gives to an application that a user let in. */
export interface ForgeGrant {
  readonly token: Redacted.Redacted
  /** Null for a token that lasts until it is revoked. */
  readonly expiresAt: Timestamp | null
  /** Good for one renewal. */
  readonly refreshToken: Redacted.Redacted | null
}

/** What is known of a sign-in; never the grant itself. `lost`: the forge takes it no longer. */
export const ForgeConnection = Schema.Struct({
  host: Schema.String,
  status: Schema.Literal("connected", "lost"),
  updatedAt: Timestamp
}).annotations({ identifier: "ForgeConnection" })
export interface ForgeConnection extends Schema.Schema.Type<typeof ForgeConnection> {}

/** The user has to sign in. `never`: they never did at this forge; `lost`: the forge takes their grant no longer. */
export class ReconnectNeeded extends Schema.TaggedError<ReconnectNeeded>()("ReconnectNeeded", {
  host: Schema.String,
  reason: Schema.Literal("never", "lost")
}) {
  override get message() {
    return this.reason === "never"
      ? `Nobody is signed in at ${this.host} for this account. Sign in there.`
      : `${this.host} takes the sign-in of this account no longer. Sign in there again.`
  }
}

/** The forge could not be asked, or had no room for the question; the grant is as it was. */
export class ForgeUnavailable extends Schema.TaggedError<ForgeUnavailable>()("ForgeUnavailable", {
  host: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.host} does not answer as it should: ${this.detail}`
  }
}

export class ForgeTokens extends Context.Tag("errand/services/ForgeTokens")<
  ForgeTokens,
  {
    /**
     * A token that is good for minutes at least. A grant that is about to expire is renewed first, under a lock; one
     * that the forge refuses to renew is `lost` until the user signs in again.
     */
    readonly tokenFor: (
      owner: UserId,
      host: string
    ) => Effect.Effect<Redacted.Redacted, ReconnectNeeded | ForgeUnavailable>
    /** The forge answered 401 to this token. The next `tokenFor` renews the grant, or says that it is lost. */
    readonly refused: (owner: UserId, host: string, token: Redacted.Redacted) => Effect.Effect<void>
    /** Replaces what was there. */
    readonly put: (owner: UserId, host: string, grant: ForgeGrant) => Effect.Effect<void, StorageFull>
    /** False when there was none. */
    readonly remove: (owner: UserId, host: string) => Effect.Effect<boolean, StorageFull>
    readonly find: (owner: UserId, host: string) => Effect.Effect<Option.Option<ForgeConnection>>
  }
>() {}
