/**
 * With what a user's repositories are reached at a host: the sign-in there, or else what the user stored for it.
 */
import { Effect, Option, type Redacted } from "effect"
import { ForgeTokens, type ForgeUnavailable } from "../../services/ForgeTokens.ts"
import { type CredentialKind, GitCredentials } from "../../services/GitCredentials.ts"
import type { UserId } from "../../services/Ids.ts"

export interface Access {
  readonly kind: CredentialKind
  readonly value: Redacted.Redacted
  /** A sign-in can be renewed when the host refuses it. */
  readonly signedIn: boolean
}

export interface FindAccess {
  readonly find: (owner: UserId, host: string) => Effect.Effect<Option.Option<Access>, ForgeUnavailable>
  /** What the user stored, as SSH needs it. */
  readonly stored: (owner: UserId, host: string) => Effect.Effect<Option.Option<Access>>
  /** The host took it no longer: whoever asks next gets another, or none. */
  readonly refused: (owner: UserId, host: string, access: Access) => Effect.Effect<void>
}

export const makeAccess = Effect.gen(function* () {
  const tokens = yield* ForgeTokens
  const credentials = yield* GitCredentials
  const stored = (owner: UserId, host: string) =>
    Effect.map(
      credentials.find(owner, host),
      Option.map((found): Access => ({ ...found, signedIn: false }))
    )
  const access: FindAccess = {
    find: (owner, host) =>
      tokens.tokenFor(owner, host).pipe(
        Effect.map((value): Option.Option<Access> => Option.some({ kind: "token", value, signedIn: true })),
        Effect.catchTag("ReconnectNeeded", () => stored(owner, host))
      ),
    stored,
    refused: (owner, host, { signedIn, value }) => (signedIn ? tokens.refused(owner, host, value) : Effect.void)
  }
  return access
})
