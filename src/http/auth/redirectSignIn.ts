/**
 * Signing in with GitHub in a browser, for the browser itself or for an app that opened it.
 *
 * An app is sent back with a code for one use within a minute, which only the holder of the app's own PKCE verifier can
 * turn into tokens: whoever catches the redirect has nothing. The browser that comes back must be the one that left.
 */
import { HttpServerResponse } from "@effect/platform"
import { Effect, Option, Redacted, Schema } from "effect"
import { Accounts, type User } from "../../services/Accounts.ts"
import { AppConfig } from "../../services/AppConfig.ts"
import { ForgeSignIn } from "../../services/ForgeSignIn.ts"
import { UserId } from "../../services/Ids.ts"
import { type TicketKind, Tickets } from "../../services/Tickets.ts"
import type { CallbackQuery, SignInQuery } from "../api/AuthApi.ts"
import { Problem } from "../api/Problem.ts"
import { makePublicOrigin } from "../publicOrigin.ts"
import { makeSessionCookie } from "../sessionCookie.ts"
import { deviceName } from "./deviceName.ts"
import { hashOf, isSame, newSecret } from "./secrets.ts"
import { signedInPage } from "./signedInPage.ts"
import { makeWelcome } from "./welcome.ts"

const App = Schema.Struct({ redirectUri: Schema.String, challenge: Schema.String, state: Schema.NullOr(Schema.String) })
type App = typeof App.Type

const SignIn = Schema.Struct({
  verifier: Schema.Redacted(Schema.String),
  redirectUrl: Schema.String,
  /** Hash of the cookie that the browser left with. */
  browser: Schema.String,
  /** Null: for the browser itself. */
  app: Schema.NullOr(App)
})

const signIns: TicketKind<typeof SignIn.Type, typeof SignIn.Encoded> = {
  name: "github sign-in",
  schema: SignIn,
  lifetime: "10 minutes"
}

const AppCode = Schema.Struct({ user: UserId, challenge: Schema.String })

/** By the hash of the code. */
export const appCodes: TicketKind<typeof AppCode.Type, typeof AppCode.Encoded> = {
  name: "app code",
  schema: AppCode,
  lifetime: "60 seconds"
}

const callbackPath = "/api/v1/auth/github/callback"

export const unavailable = Problem.of(
  "sign_in_unavailable",
  "This server has no GitHub app. Pair this device, or set ERRAND_GITHUB_CLIENT_ID and ERRAND_GITHUB_CLIENT_SECRET."
)

const wrongRedirect = Problem.of("invalid_request", "redirect_uri is none that this server sends apps back to.", {
  errors: [{ path: "redirect_uri", message: "must be one of ERRAND_APP_REDIRECT_URIS, exactly" }]
})

const noChallenge = Problem.of("invalid_request", "An app sends code_challenge and code_challenge_method=S256.", {
  errors: [{ path: "code_challenge", message: "is missing" }]
})

const over = Problem.of("invalid_grant", "This sign-in is over, or began in another browser. Begin again.")

const denied = Problem.of("sign_in_refused", "GitHub was not allowed to let you in here.")

const found = (location: string) => HttpServerResponse.empty({ status: 302, headers: { location } })

const backTo = ({ redirectUri, state }: App, result: Readonly<Record<string, string>>) => {
  const target = new URL(redirectUri)
  for (const [name, value] of Object.entries({ ...result, ...(state === null ? {} : { state }) })) {
    target.searchParams.set(name, value)
  }
  return found(target.href)
}

export const makeRedirectSignIn = Effect.gen(function* () {
  const accounts = yield* Accounts
  const config = yield* AppConfig
  const forge = yield* ForgeSignIn
  const tickets = yield* Tickets
  const publicOrigin = yield* makePublicOrigin
  const welcome = yield* makeWelcome
  const session = makeSessionCookie(config)
  const browserCookie = session.named("errand_sign_in")

  const appOf = (query: SignInQuery): Effect.Effect<App | null, Problem> => {
    if (query.redirect_uri === undefined) return Effect.succeed(null)
    if (!config.appRedirectUris.includes(query.redirect_uri)) return wrongRedirect
    if (query.code_challenge === undefined || query.code_challenge_method === undefined) return noChallenge
    return Effect.succeed({
      redirectUri: query.redirect_uri,
      challenge: query.code_challenge,
      state: query.state ?? null
    })
  }

  const start = Effect.fnUntraced(function* (query: SignInQuery) {
    if (Option.isNone(forge.host)) return yield* unavailable
    const app = yield* appOf(query)
    const [state, verifier, browser] = yield* Effect.all([newSecret, newSecret, newSecret])
    const redirectUrl = `${yield* publicOrigin}${callbackPath}`
    yield* tickets.put(signIns, hashOf(state), { verifier, redirectUrl, browser: hashOf(browser), app })
    const target = forge.authorizationUrl({ state: Redacted.value(state), verifier, redirectUrl })
    return browserCookie.set(found(target), browser)
  })

  const enter = Effect.fnUntraced(function* (user: User, app: App | null) {
    if (app === null) {
      const { cookie } = yield* accounts.openBrowserSession(user.id, yield* deviceName)
      return session.set(signedInPage(user.login), cookie)
    }
    const code = yield* newSecret
    yield* tickets.put(appCodes, hashOf(code), { user: user.id, challenge: app.challenge })
    return backTo(app, { code: Redacted.value(code) })
  })

  const callback = Effect.fnUntraced(function* (query: typeof CallbackQuery.Type) {
    const browser = yield* browserCookie.read
    const signIn = yield* tickets.take(signIns, hashOf(Redacted.make(query.state ?? "")))
    const isSameBrowser = Option.exists(Option.all([signIn, browser]), ([left, came]) =>
      isSame(left.browser, hashOf(came))
    )
    if (Option.isNone(signIn) || !isSameBrowser) return yield* over
    const { app, redirectUrl, verifier } = signIn.value
    if (query.code === undefined) return app === null ? yield* denied : backTo(app, { error: "access_denied" })
    const attempt = { state: query.state ?? "", verifier, redirectUrl }
    const user = yield* Effect.flatMap(forge.exchange(query.code, attempt), welcome).pipe(
      Effect.map(Option.some),
      Effect.catchIf(
        (error) => app !== null && error._tag === "Problem" && error.code === "sign_in_refused",
        () => Effect.succeedNone
      )
    )
    if (Option.isSome(user)) return browserCookie.clear(yield* enter(user.value, app))
    return app === null ? yield* denied : backTo(app, { error: "access_denied" })
  })

  return { start, callback }
})
