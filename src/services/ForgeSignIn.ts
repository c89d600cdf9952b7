/**
 * Signing in at a forge, as OAuth has it.
 *
 * Owns: the conversation with the forge: where a browser is sent, what a code is exchanged for, renewing a grant, who a
 * token belongs to.
 * Does not own: who may be a user here (`http/auth`), keeping grants (`ForgeTokens`).
 */
import { Context, type Effect, type Option, type Redacted, Schema } from "effect"
import type { ForgeIdentity } from "./Accounts.ts"
import type { ForgeGrant, ForgeUnavailable } from "./ForgeTokens.ts"

/** The forge says no. `code` is its own word, as `bad_verification_code` or `access_denied`. */
export class SignInRefused extends Schema.TaggedError<SignInRefused>()("SignInRefused", {
  code: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** The person has not typed the code yet. `slower`: asked again too soon. */
export class SignInPending extends Schema.TaggedError<SignInPending>()("SignInPending", { slower: Schema.Boolean }) {}

/** What a person without a browser on this machine does: types `userCode` at `verificationUrl`. */
export interface DeviceSignIn {
  /** Proves that the one who asks is the one who began. */
  readonly deviceCode: Redacted.Redacted
  readonly userCode: string
  readonly verificationUrl: string
  readonly expiresInSeconds: number
  readonly intervalSeconds: number
}

export interface ForgeProfile extends ForgeIdentity {
  /** In lower case; asked for only where a setting names organizations. */
  readonly organizations: ReadonlyArray<string>
}

/** A sign-in by redirect: what leaves with the browser, and what has to fit when it comes back. */
export interface RedirectSignIn {
  readonly state: string
  /** The secret behind the challenge that went with the browser (PKCE, S256). */
  readonly verifier: Redacted.Redacted
  readonly redirectUrl: string
}

export class ForgeSignIn extends Context.Tag("errand/services/ForgeSignIn")<
  ForgeSignIn,
  {
    /** The host that people sign in at; none when no app is configured. The methods below are not called then. */
    readonly host: Option.Option<string>
    readonly authorizationUrl: (signIn: RedirectSignIn) => string
    readonly exchange: (
      code: Redacted.Redacted,
      signIn: RedirectSignIn
    ) => Effect.Effect<ForgeGrant, SignInRefused | ForgeUnavailable>
    readonly startDevice: Effect.Effect<DeviceSignIn, SignInRefused | ForgeUnavailable>
    readonly pollDevice: (
      deviceCode: Redacted.Redacted
    ) => Effect.Effect<ForgeGrant, SignInPending | SignInRefused | ForgeUnavailable>
    readonly renew: (refreshToken: Redacted.Redacted) => Effect.Effect<ForgeGrant, SignInRefused | ForgeUnavailable>
    readonly whoIs: (token: Redacted.Redacted) => Effect.Effect<ForgeProfile, SignInRefused | ForgeUnavailable>
  }
>() {}
