/**
 * ForgeSignIn at GitHub, or at an Enterprise server, for an OAuth App or a GitHub App: the answers tell them apart.
 */
import * as OAuth from "@octokit/oauth-methods"
import { createHash } from "node:crypto"
import { Effect, Layer, Option, Redacted, Schema } from "effect"
import { AppConfig, type GitHubSettings } from "../services/AppConfig.ts"
import { ForgeSignIn, type RedirectSignIn, SignInPending } from "../services/ForgeSignIn.ts"
import { type ForgeGrant, ForgeUnavailable } from "../services/ForgeTokens.ts"
import { Timestamp } from "../services/Task.ts"
import { ask } from "./github/signInRequest.ts"

/** Repositories, and where a setting names organizations, who belongs to them. A GitHub App has permissions instead. */
const scopesFor = ({ allowedLogins }: GitHubSettings) =>
  allowedLogins.organizations.length > 0 ? ["repo", "read:org"] : ["repo"]

const pkceChallenge = (verifier: Redacted.Redacted) =>
  createHash("sha256").update(Redacted.value(verifier)).digest("base64url")

const mostPages = 10
const pageSize = 100

const Grant = Schema.Struct({
  token: Schema.NonEmptyString,
  refreshToken: Schema.optional(Schema.NonEmptyString),
  expiresAt: Schema.optional(Timestamp)
})
const decodeGrant = Schema.decodeUnknown(Grant)

const Device = Schema.Struct({
  device_code: Schema.NonEmptyString,
  user_code: Schema.NonEmptyString,
  verification_uri: Schema.NonEmptyString,
  expires_in: Schema.Number,
  interval: Schema.Number
})
const decodeDevice = Schema.decodeUnknown(Device)

const Profile = Schema.Struct({ id: Schema.Number, login: Schema.NonEmptyString })
const decodeProfile = Schema.decodeUnknown(Profile)
const decodeOrganizations = Schema.decodeUnknown(Schema.Array(Schema.Struct({ login: Schema.String })))

const authorized = (token: Redacted.Redacted) => ({ headers: { authorization: `Bearer ${Redacted.value(token)}` } })

const make = (github: GitHubSettings) => {
  const { apiUrl, url } = github
  const host = new URL(url).host
  const clientId = Option.match(github.app, { onNone: () => "", onSome: (app) => app.clientId })
  const clientSecret = Option.match(github.app, { onNone: () => "", onSome: (app) => Redacted.value(app.clientSecret) })
  // With this type the library keeps what renews a grant, when there is something; it changes nothing else.
  const app = { clientType: "github-app", clientId, clientSecret } as const
  const unexpected = () => new ForgeUnavailable({ host, detail: "its answer is not what GitHub gives" })

  const toGrant = ({ authentication }: { readonly authentication: unknown }) =>
    decodeGrant(authentication).pipe(
      Effect.map(({ expiresAt = null, refreshToken, token }): ForgeGrant => ({
        token: Redacted.make(token),
        expiresAt,
        refreshToken: refreshToken === undefined ? null : Redacted.make(refreshToken)
      })),
      Effect.mapError(unexpected)
    )

  const organizationsOf = Effect.fnUntraced(function* (token: Redacted.Redacted) {
    const found: Array<string> = []
    for (let page = 1; page <= mostPages; page++) {
      const { data } = yield* ask(apiUrl, ({ request }) =>
        request("GET /user/orgs", { ...authorized(token), per_page: pageSize, page })
      )
      const logins = yield* Effect.mapError(decodeOrganizations(data), unexpected)
      found.push(...logins.map(({ login }) => login.toLowerCase()))
      if (logins.length < pageSize) break
    }
    return found
  })

  return ForgeSignIn.of({
    host: Option.as(github.app, host),

    authorizationUrl: ({ redirectUrl, state, verifier }) => {
      const target = new URL(`${url}/login/oauth/authorize`)
      target.search = new URLSearchParams({
        client_id: clientId,
        redirect_uri: redirectUrl,
        state,
        scope: scopesFor(github).join(" "),
        code_challenge: pkceChallenge(verifier),
        code_challenge_method: "S256"
      }).toString()
      return target.href
    },

    exchange: Effect.fn("ForgeSignIn.exchange")((code: Redacted.Redacted, { redirectUrl, verifier }: RedirectSignIn) =>
      Effect.flatMap(
        ask(url, ({ request }) =>
          OAuth.exchangeWebFlowCode({
            ...app,
            code: Redacted.value(code),
            redirectUrl,
            // The library knows of no verifier; what a request has by default goes with every request.
            request: request.defaults({ code_verifier: Redacted.value(verifier) })
          })
        ),
        toGrant
      )
    ),

    startDevice: Effect.flatMap(
      ask(url, ({ request }) =>
        OAuth.createDeviceCode({ clientType: "oauth-app", clientId, scopes: scopesFor(github), request })
      ),
      ({ data }) => Effect.mapError(decodeDevice(data), unexpected)
    ).pipe(
      Effect.map((started) => ({
        deviceCode: Redacted.make(started.device_code),
        userCode: started.user_code,
        verificationUrl: started.verification_uri,
        expiresInSeconds: started.expires_in,
        intervalSeconds: started.interval
      }))
    ),

    pollDevice: Effect.fn("ForgeSignIn.pollDevice")((deviceCode: Redacted.Redacted) =>
      ask(url, ({ request }) => OAuth.exchangeDeviceCode({ ...app, code: Redacted.value(deviceCode), request })).pipe(
        Effect.flatMap(toGrant),
        Effect.catchIf(
          (error) => error._tag === "SignInRefused" && ["authorization_pending", "slow_down"].includes(error.code),
          (error) => new SignInPending({ slower: error._tag === "SignInRefused" && error.code === "slow_down" })
        )
      )
    ),

    renew: Effect.fn("ForgeSignIn.renew")((refreshToken: Redacted.Redacted) =>
      Effect.flatMap(
        ask(url, ({ request }) => OAuth.refreshToken({ ...app, refreshToken: Redacted.value(refreshToken), request })),
        toGrant
      )
    ),

    whoIs: Effect.fn("ForgeSignIn.whoIs")(function* (token: Redacted.Redacted) {
      const { data } = yield* ask(apiUrl, ({ request }) => request("GET /user", authorized(token)))
      const { id, login } = yield* Effect.mapError(decodeProfile(data), unexpected)
      const organizations = github.allowedLogins.organizations.length > 0 ? yield* organizationsOf(token) : []
      return { host, subject: String(id), login, organizations }
    })
  })
}

export const layer = Layer.effect(
  ForgeSignIn,
  Effect.map(AppConfig, ({ github }) => make(github))
)
