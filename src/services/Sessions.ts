/**
 * What a signed-in device shows: an access token for minutes, and a refresh token that gives the next pair.
 *
 * Owns: making, checking, renewing both; the keys that sign; telling a repeated refresh from a stolen token.
 * Does not own: the devices themselves (`Accounts`), how somebody proves who they are (`http/auth`).
 */
import { Context, type Effect, type Option, type Redacted, Schema } from "effect"
import type { Principal } from "./Accounts.ts"
import type { DeviceId, UserId } from "./Ids.ts"
import type { StorageFull } from "./Transaction.ts"

export interface SessionTokens {
  readonly deviceId: DeviceId
  /** A signed JWT. */
  readonly accessToken: Redacted.Redacted
  readonly expiresInSeconds: number
  /** Opaque, for one refresh. */
  readonly refreshToken: Redacted.Redacted
}

/** The refresh token is unknown, or its session is over. `reused`: it was used before, which has ended the session. */
export class SessionEnded extends Schema.TaggedError<SessionEnded>()("SessionEnded", { reused: Schema.Boolean }) {
  override get message() {
    return this.reused
      ? "This refresh token was used before: somebody else may have it, so the session was ended. Sign in again."
      : "This session is over. Sign in again."
  }
}

export class Sessions extends Context.Tag("errand/services/Sessions")<
  Sessions,
  {
    readonly open: (user: UserId, deviceName: string) => Effect.Effect<SessionTokens, StorageFull>
    /**
     * The next tokens. The same refresh token gives the same next one for 60 s, whatever became of the first answer;
     * after that it ends the session.
     */
    readonly refresh: (refreshToken: Redacted.Redacted) => Effect.Effect<SessionTokens, SessionEnded | StorageFull>
    /** Who shows this token, be it of a session or of a script; none for any other. */
    readonly authenticate: (token: Redacted.Redacted) => Effect.Effect<Option.Option<Principal>>
    /** A new key signs from now on. The ones before are good for what they signed, or for nothing when `atOnce`. */
    readonly rotateKeys: (options: { readonly atOnce: boolean }) => Effect.Effect<void, StorageFull>
  }
>() {}
