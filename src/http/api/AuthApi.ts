/**
 * Signing in: with GitHub, from a device without a browser, by pairing; and what a session lives on.
 *
 * Nobody is signed in yet on these routes: a code, a secret or a refresh token is what counts.
 */
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { DeviceId } from "../../services/Ids.ts"
import { line } from "../../services/text.ts"
import { Timestamp } from "../../services/Task.ts"
import { problems } from "./Problem.ts"

const optional = <A, I, R>(schema: Schema.Schema<A, I, R>) => Schema.optionalWith(schema, { exact: true })

/** Opaque, printable, of one of our own making. */
const Secret = Schema.Redacted(Schema.String.pipe(Schema.maxLength(512), Schema.pattern(/^[\x21-\x7e]+$/)))

/** A SHA-256 in base64url, as PKCE has it. */
const challenge = /^[A-Za-z0-9_-]{43}$/

export const SignInQuery = Schema.Struct({
  /** Where an app is sent back to; none for a browser, which gets a cookie. */
  redirect_uri: optional(Schema.String.pipe(Schema.maxLength(2048))),
  code_challenge: optional(Schema.String.pipe(Schema.pattern(challenge))),
  code_challenge_method: optional(Schema.Literal("S256")),
  state: optional(Schema.String.pipe(Schema.maxLength(512), Schema.pattern(/^[\x20-\x7e]*$/)))
})
export type SignInQuery = typeof SignInQuery.Type

/** What the forge sends a browser back with; it may add more. */
export const CallbackQuery = Schema.Struct({
  state: optional(Schema.String.pipe(Schema.maxLength(512))),
  code: optional(Schema.Redacted(Schema.String.pipe(Schema.maxLength(512)))),
  error: optional(Schema.String.pipe(Schema.maxLength(200)))
})

const DeviceName = line(100)

export const TokenRequest = Schema.Union(
  Schema.Struct({
    grantType: Schema.Literal("authorization_code"),
    code: Secret,
    codeVerifier: Secret,
    deviceName: optional(DeviceName)
  }).annotations({ identifier: "CodeGrant" }),
  Schema.Struct({
    grantType: Schema.Literal("device_code"),
    deviceCode: Secret,
    deviceName: optional(DeviceName)
  }).annotations({ identifier: "DeviceCodeGrant" }),
  Schema.Struct({
    grantType: Schema.Literal("pairing"),
    pairingId: line(32),
    secret: Secret,
    /** A browser takes a cookie that no script can read, instead of tokens. */
    cookie: optional(Schema.Boolean)
  }).annotations({ identifier: "PairingGrant" })
).annotations({ identifier: "TokenRequest" })
export type TokenRequest = typeof TokenRequest.Type

export const TokenAnswer = Schema.Struct({
  deviceId: DeviceId,
  tokenType: Schema.Literal("Bearer"),
  /** For `Authorization`. */
  accessToken: Schema.String,
  expiresInSeconds: Schema.Int,
  /** Good for one refresh. */
  refreshToken: Schema.String
}).annotations({ identifier: "TokenAnswer" })

export const Refresh = Schema.Struct({ refreshToken: Secret }).annotations({ identifier: "Refresh" })

const DeviceSignInView = Schema.Struct({
  /** Only for the one who asked: it gives the tokens. */
  deviceCode: Schema.String,
  userCode: Schema.String,
  verificationUrl: Schema.String,
  expiresInSeconds: Schema.Number,
  intervalSeconds: Schema.Number
}).annotations({ identifier: "DeviceSignIn" })

export const Claim = Schema.Struct({ code: line(32), deviceName: DeviceName }).annotations({ identifier: "Claim" })

const ClaimView = Schema.Struct({
  pairingId: Schema.String,
  secret: Schema.String,
  /** For the person to compare with the other side, who types it there. */
  number: Schema.Int,
  intervalSeconds: Schema.Int,
  expiresAt: Timestamp
}).annotations({ identifier: "ClaimView" })

const gitHubStart = HttpApiEndpoint.get("gitHubStart", "/auth/github/start")
  .setUrlParams(SignInQuery)
  .addSuccess(HttpApiSchema.Empty(302))
  .addError(problems(409, 422, 429))
  .annotate(OpenApi.Identifier, "startGitHubSignIn")
  .annotate(OpenApi.Summary, "Sends a browser to GitHub. An app names its redirect URI and a PKCE challenge.")

const gitHubCallback = HttpApiEndpoint.get("gitHubCallback", "/auth/github/callback")
  .setUrlParams(CallbackQuery)
  .addSuccess(HttpApiSchema.Text({ contentType: "text/html" }))
  .addSuccess(HttpApiSchema.Empty(302))
  .addError(problems(400, 403, 429, 503, 507))
  .annotate(OpenApi.Identifier, "finishGitHubSignIn")
  .annotate(OpenApi.Summary, "Where GitHub sends the browser: on to the app with a code for one use, or signed in.")

const device = HttpApiEndpoint.post("device", "/auth/device")
  .addSuccess(DeviceSignInView)
  .addError(problems(409, 413, 415, 422, 429, 503))
  .annotate(OpenApi.Identifier, "startDeviceSignIn")
  .annotate(OpenApi.Summary, "Begins a sign-in with GitHub on a machine without a browser.")

const token = HttpApiEndpoint.post("token", "/auth/token")
  .setPayload(TokenRequest)
  .addSuccess(TokenAnswer)
  .addSuccess(HttpApiSchema.NoContent)
  .addError(problems(400, 403, 413, 415, 422, 429, 503, 507))
  .annotate(OpenApi.Identifier, "getTokens")
  .annotate(OpenApi.Summary, "Turns what a sign-in gave into the tokens of a session.")

const refresh = HttpApiEndpoint.post("refresh", "/auth/refresh")
  .setPayload(Refresh)
  .addSuccess(TokenAnswer)
  .addError(problems(401, 413, 415, 422, 429, 507))
  .annotate(OpenApi.Identifier, "refreshTokens")
  .annotate(
    OpenApi.Summary,
    "The next tokens. Repeated within 60 s it gives the same refresh token; later it ends the session."
  )

const claim = HttpApiEndpoint.post("claim", "/auth/pair/claim")
  .setPayload(Claim)
  .addSuccess(ClaimView, { status: 201 })
  .addError(problems(400, 413, 415, 422, 429, 507))
  .annotate(OpenApi.Identifier, "claimPairing")
  .annotate(OpenApi.Summary, "The new device shows its code, once, and gets a number for its person to compare.")

export class AuthApi extends HttpApiGroup.make("auth")
  .add(gitHubStart)
  .add(gitHubCallback)
  .add(device)
  .add(token)
  .add(refresh)
  .add(claim)
  .prefix("/api/v1") {}
