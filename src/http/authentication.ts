/**
 * From a request to who is asking.
 *
 * Owns: how a request carries a token, and what its scopes allow.
 * Does not own: whose a token is (`Accounts`).
 */
import { HttpServerRequest } from "@effect/platform"
import { Effect, Layer, Option, Redacted } from "effect"
import { Accounts } from "../services/Accounts.ts"
import { Authentication } from "./api/Authentication.ts"
import { Problem } from "./api/Problem.ts"

const bearer = /^Bearer +([A-Za-z0-9._~+/-]{1,4096}=*) *$/i

/** The token of an `Authorization` header; none for another scheme, or for something that can't be a token. */
export const bearerToken = (authorization: string | undefined): Option.Option<Redacted.Redacted> =>
  Option.fromNullable(authorization === undefined ? undefined : bearer.exec(authorization)?.[1]).pipe(
    Option.map(Redacted.make)
  )

const signIn = "Send an access token as `Authorization: Bearer …`; `errand token create` makes one."

/** The challenge says whether there was a token at all. */
export const unauthenticated = (authorization: string | undefined): Problem =>
  authorization === undefined
    ? Problem.of("unauthenticated", signIn, { headers: { "www-authenticate": 'Bearer realm="errand"' } })
    : Problem.of("unauthenticated", `This token is unknown, revoked or not a token. ${signIn}`, {
        headers: { "www-authenticate": 'Bearer realm="errand", error="invalid_token"' }
      })

const scopeMissing = Problem.of("scope_missing", "This token may only read. Make one with the scope `write`.")

/** Who asks, by the header alone, whatever the scopes. */
export const authenticated = Effect.gen(function* () {
  const accounts = yield* Accounts
  const { headers } = yield* HttpServerRequest.HttpServerRequest
  const authorization = headers["authorization"]
  const token = bearerToken(authorization)
  const principal = Option.isNone(token) ? Option.none() : yield* accounts.authenticate(token.value)
  return yield* Option.match(principal, { onNone: () => unauthenticated(authorization), onSome: Effect.succeed })
})

export const layer = Layer.effect(
  Authentication,
  Effect.map(Accounts, (accounts) =>
    Authentication.of({
      // Effect's own decoding of the header takes any scheme for a bearer's; it is read here once more.
      bearer: () =>
        Effect.gen(function* () {
          const principal = yield* authenticated
          const { method } = yield* HttpServerRequest.HttpServerRequest
          const needed = method === "GET" || method === "HEAD" ? ["read", "write"] : ["write"]
          if (!principal.scopes.some((scope) => needed.includes(scope))) return yield* scopeMissing
          return principal
        }).pipe(Effect.provideService(Accounts, accounts))
    })
  )
)
