/**
 * From a request to who is asking.
 *
 * Owns: how a request carries a token or a cookie, and what its scopes allow.
 * Does not own: whose a token is (`Sessions`, `Accounts`).
 */
import { HttpServerRequest } from "@effect/platform"
import { Effect, Layer, Option, Redacted } from "effect"
import { Accounts, type Principal } from "../services/Accounts.ts"
import { AppConfig } from "../services/AppConfig.ts"
import { Sessions } from "../services/Sessions.ts"
import { Authentication } from "./api/Authentication.ts"
import { Problem } from "./api/Problem.ts"
import * as HostGuard from "./hostGuard.ts"
import { Limits } from "./limits.ts"
import { bodyBytes } from "./requestBody.ts"
import { makeSessionCookie } from "./sessionCookie.ts"

const bearer = /^Bearer +([A-Za-z0-9._~+/-]{1,4096}=*) *$/i

/** The token of an `Authorization` header; none for another scheme, or for something that can't be a token. */
const bearerToken = (authorization: string): Option.Option<Redacted.Redacted> =>
  Option.map(Option.fromNullable(bearer.exec(authorization)?.[1]), Redacted.make)

const signIn =
  "Sign in, or send an access token as `Authorization: Bearer …`; `errand token create` makes one on the server."

const anonymous = Problem.of("unauthenticated", signIn, { headers: { "www-authenticate": 'Bearer realm="errand"' } })

const refused = Problem.of("unauthenticated", `This token is unknown, over, revoked or not a token. ${signIn}`, {
  headers: { "www-authenticate": 'Bearer realm="errand", error="invalid_token"' }
})

const scopeMissing = Problem.of("scope_missing", "This token may only read. Make one with the scope `write`.")

const originRefused = Problem.of("origin_refused", "A browser's session serves the pages of this server alone.")

const isRead = (method: string) => method === "GET" || method === "HEAD"

/** Browsers name the page that asks, but for what changes nothing. A socket is no such thing, whatever its method. */
const isOwnPage = (guard: HostGuard.HostGuard, { headers, method }: HttpServerRequest.HttpServerRequest) => {
  const { host, origin, upgrade } = headers
  if (origin === undefined) return isRead(method) && upgrade === undefined
  return guard.allowsOrigin(origin, host)
}

type Authenticated = Effect.Effect<Principal, Problem, HttpServerRequest.HttpServerRequest>

/** Who asks, whatever the scopes: by the header, or else by the cookie of a browser's session. */
export const makeAuthenticated = Effect.gen(function* () {
  const accounts = yield* Accounts
  const sessions = yield* Sessions
  const config = yield* AppConfig
  const guard = HostGuard.make(config)
  const cookie = makeSessionCookie(config)

  const authenticated: Authenticated = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const { authorization } = request.headers
    if (authorization !== undefined) {
      const token = bearerToken(authorization)
      const principal = Option.isNone(token) ? Option.none() : yield* sessions.authenticate(token.value)
      return yield* Effect.mapError(principal, () => refused)
    }
    const shown = yield* cookie.read
    if (Option.isNone(shown)) return yield* anonymous
    if (!isOwnPage(guard, request)) return yield* originRefused
    return yield* Effect.mapError(Effect.flatten(accounts.authenticateBrowser(shown.value)), () => refused)
  })
  return authenticated
})

export const layer = Layer.effect(
  Authentication,
  Effect.map(Effect.all([makeAuthenticated, Limits]), ([authenticated, limits]) =>
    Authentication.of({
      // Effect's own decoding of the header takes any scheme for a bearer's; it is read here once more.
      bearer: () =>
        Effect.gen(function* () {
          const principal = yield* authenticated
          yield* limits.user(principal.user.id)
          const { method } = yield* HttpServerRequest.HttpServerRequest
          const needed = isRead(method) ? ["read", "write"] : ["write"]
          if (!principal.scopes.some((scope) => needed.includes(scope))) return yield* scopeMissing
          if (isRead(method)) return principal
          // A body may take a minute to come: whoever was revoked or removed in it, or lost a role, commands no longer.
          yield* Effect.ignore(bodyBytes)
          return yield* authenticated
        })
    })
  )
)
