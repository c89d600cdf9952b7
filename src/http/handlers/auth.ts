/**
 * Signing in, from requests to services and back.
 */
import { HttpApiBuilder, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Effect, Option, Redacted, Schema } from "effect"
import { Accounts } from "../../services/Accounts.ts"
import { AppConfig } from "../../services/AppConfig.ts"
import { ForgeSignIn } from "../../services/ForgeSignIn.ts"
import type { UserId } from "../../services/Ids.ts"
import { Pairings } from "../../services/Pairings.ts"
import { Sessions, type SessionTokens } from "../../services/Sessions.ts"
import { type TicketKind, Tickets } from "../../services/Tickets.ts"
import { Claim, Refresh, type TokenAnswer, TokenRequest } from "../api/AuthApi.ts"
import { Problem } from "../api/Problem.ts"
import { NoBody } from "../api/requests.ts"
import { Api } from "../Api.ts"
import { deviceName } from "../auth/deviceName.ts"
import { appCodes, makeRedirectSignIn, unavailable } from "../auth/redirectSignIn.ts"
import { hashOf, isSame, newSecret } from "../auth/secrets.ts"
import { makeWelcome } from "../auth/welcome.ts"
import { makeClientAddress } from "../clientAddress.ts"
import { bodyText, decodeBody } from "../requestBody.ts"
import { makeSessionCookie } from "../sessionCookie.ts"
import { Hub } from "../stream/Hub.ts"
import { asProblem } from "../translate.ts"

/** How often the new device may ask whether the number was confirmed. */
const pairingIntervalSeconds = 2

/** What the forge knows the sign-in by; by the hash of our own code. */
const deviceSignIns: TicketKind<Redacted.Redacted, string> = {
  name: "device sign-in",
  schema: Schema.Redacted(Schema.String),
  lifetime: "15 minutes"
}

const decodeToken = decodeBody(TokenRequest)
const decodeRefresh = decodeBody(Refresh)
const decodeClaim = decodeBody(Claim)
const decodeNothing = decodeBody(NoBody)

const invalidGrant = Problem.of("invalid_grant", "This code is not known, was used, or is over. Sign in again.")
const pending = Problem.of("authorization_pending", "The code was not typed yet. Ask again after the interval.")
const slowDown = Problem.of("slow_down", "Ask again later, and less often: wait five seconds more than before.")
const denied = Problem.of("sign_in_refused", "The person refused.")

const answerOf = (tokens: SessionTokens): typeof TokenAnswer.Type => ({
  deviceId: tokens.deviceId,
  tokenType: "Bearer",
  accessToken: Redacted.value(tokens.accessToken),
  expiresInSeconds: tokens.expiresInSeconds,
  refreshToken: Redacted.value(tokens.refreshToken)
})

type Grant<Type extends TokenRequest["grantType"]> = Extract<TokenRequest, { readonly grantType: Type }>

export const layer = HttpApiBuilder.group(Api, "auth", (handlers) =>
  Effect.gen(function* () {
    const accounts = yield* Accounts
    const forge = yield* ForgeSignIn
    const hub = yield* Hub
    const pairings = yield* Pairings
    const sessions = yield* Sessions
    const tickets = yield* Tickets
    const cookie = makeSessionCookie(yield* AppConfig)
    const clientAddress = yield* makeClientAddress
    const redirectSignIn = yield* makeRedirectSignIn
    const welcome = yield* makeWelcome

    const open = Effect.fnUntraced(function* (user: UserId, name: string | undefined) {
      return answerOf(yield* sessions.open(user, name ?? (yield* deviceName)))
    })

    /** A wrong verifier burns the code: whoever shows it has caught it. */
    const byCode = Effect.fnUntraced(function* (grant: Grant<"authorization_code">) {
      const code = yield* tickets.take(appCodes, hashOf(grant.code))
      if (Option.isNone(code) || !isSame(code.value.challenge, hashOf(grant.codeVerifier))) return yield* invalidGrant
      return yield* open(code.value.user, grant.deviceName)
    })

    const byDeviceCode = Effect.fnUntraced(function* (grant: Grant<"device_code">) {
      const name = hashOf(grant.deviceCode)
      const known = yield* tickets.find(deviceSignIns, name)
      if (Option.isNone(known)) return yield* invalidGrant
      const forgeGrant = yield* forge.pollDevice(known.value).pipe(
        Effect.catchTag("SignInPending", ({ slower }) => (slower ? slowDown : pending)),
        Effect.catchTag("SignInRefused", ({ code }) =>
          Effect.zipRight(tickets.take(deviceSignIns, name), code === "access_denied" ? denied : invalidGrant)
        )
      )
      const taken = yield* tickets.take(deviceSignIns, name)
      if (Option.isNone(taken)) return yield* invalidGrant
      return yield* open((yield* welcome(forgeGrant)).id, grant.deviceName)
    })

    const byPairing = Effect.fnUntraced(function* (grant: Grant<"pairing">) {
      const { deviceName: name, user } = yield* pairings.redeem(grant.pairingId, grant.secret)
      if (grant.cookie !== true) return yield* open(user.id, name)
      const { cookie: shown } = yield* accounts.openBrowserSession(user.id, name)
      return cookie.set(HttpServerResponse.empty({ status: 204 }), shown)
    })

    const redeem = Effect.fnUntraced(function* (grant: TokenRequest) {
      switch (grant.grantType) {
        case "authorization_code":
          return yield* byCode(grant)
        case "device_code":
          return yield* byDeviceCode(grant)
        case "pairing":
          return yield* byPairing(grant)
      }
    })

    return handlers
      .handle("gitHubStart", ({ urlParams }) => asProblem(redirectSignIn.start(urlParams)))
      .handle("gitHubCallback", ({ urlParams }) => asProblem(redirectSignIn.callback(urlParams)))
      .handleRaw("device", () =>
        Effect.gen(function* () {
          yield* Effect.flatMap(bodyText, decodeNothing)
          if (Option.isNone(forge.host)) return yield* unavailable
          const { deviceCode: forgeCode, ...shown } = yield* forge.startDevice
          const deviceCode = yield* newSecret
          yield* tickets.put(deviceSignIns, hashOf(deviceCode), forgeCode)
          return { ...shown, deviceCode: Redacted.value(deviceCode) }
        }).pipe(asProblem)
      )
      .handleRaw("token", () => asProblem(Effect.flatMap(Effect.flatMap(bodyText, decodeToken), redeem)))
      .handleRaw("refresh", () =>
        Effect.gen(function* () {
          const { refreshToken } = yield* Effect.flatMap(bodyText, decodeRefresh)
          const refreshed = Effect.tapErrorTag(sessions.refresh(refreshToken), "SessionEnded", ({ reused }) =>
            reused ? hub.recheck : Effect.void
          )
          return answerOf(yield* Effect.uninterruptible(refreshed))
        }).pipe(asProblem)
      )
      .handleRaw("claim", () =>
        Effect.gen(function* () {
          const { code, deviceName } = yield* Effect.flatMap(bodyText, decodeClaim)
          const { headers } = yield* HttpServerRequest.HttpServerRequest
          const userAgent = (headers["user-agent"] ?? "").replace(/[^\x20-\x7e]/g, "").slice(0, 200)
          const claimed = yield* pairings.claim(code, { name: deviceName, address: yield* clientAddress, userAgent })
          return {
            pairingId: claimed.id,
            secret: Redacted.value(claimed.secret),
            number: claimed.number,
            intervalSeconds: pairingIntervalSeconds,
            expiresAt: claimed.expiresAt
          }
        }).pipe(asProblem)
      )
  })
)
