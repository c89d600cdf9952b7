import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import * as AccountsMemory from "../../src/layers/AccountsMemory.ts"
import * as AccountsSqlite from "../../src/layers/AccountsSqlite.ts"
import * as AppConfigEnv from "../../src/layers/AppConfigEnv.ts"
import * as ForgeSignInGitHub from "../../src/layers/ForgeSignInGitHub.ts"
import * as ForgeTokensMemory from "../../src/layers/ForgeTokensMemory.ts"
import * as ForgeTokensSqlite from "../../src/layers/ForgeTokensSqlite.ts"
import * as IdsCounter from "../../src/layers/IdsCounter.ts"
import * as VaultAesGcm from "../../src/layers/VaultAesGcm.ts"
import { Accounts } from "../../src/services/Accounts.ts"
import { ForgeSignIn, SignInRefused } from "../../src/services/ForgeSignIn.ts"
import { ForgeTokens } from "../../src/services/ForgeTokens.ts"
import { forgeTokensContract } from "../support/forgeTokensContract.ts"
import { type GitHub, gitHub } from "../support/github/gitHub.ts"
import { GitHubOAuth, type OAuthOptions } from "../support/github/oauth.ts"
import { eventsSqlite } from "../support/storageLayers.ts"

const storage = Layer.mergeAll(
  Layer.provideMerge(AccountsSqlite.layer, eventsSqlite),
  VaultAesGcm.layerWith(Redacted.make("a key of more than thirty-two characters"))
).pipe(Layer.provide(IdsCounter.layer))

/** A forge that has forgotten every token. */
const forgetful = Layer.mock(ForgeSignIn, {
  host: Option.some("github.com"),
  authorizationUrl: () => "",
  startDevice: Effect.die("not asked"),
  whoIs: () => new SignInRefused({ code: "bad_credentials", detail: "no" })
})

forgeTokensContract(
  "ForgeTokensMemory",
  Layer.merge(ForgeTokensMemory.layer, Layer.provide(AccountsMemory.layer, IdsCounter.layer))
)
forgeTokensContract(
  "ForgeTokensSqlite",
  ForgeTokensSqlite.layer.pipe(Layer.provide(forgetful), Layer.provideMerge(storage))
)

const config = (github: GitHub, oauth: GitHubOAuth) =>
  AppConfigEnv.layerWith({
    github: {
      url: github.url,
      apiUrl: github.apiUrl,
      app: Option.some({ clientId: oauth.clientId, clientSecret: Redacted.make(oauth.clientSecret) })
    }
  })

interface Scene {
  readonly github: GitHub
  readonly oauth: GitHubOAuth
}

/** The adapter beside a GitHub that answers over HTTP. */
const atGitHub = <A, E>(
  options: OAuthOptions,
  body: (scene: Scene) => Effect.Effect<A, E, ForgeTokens | ForgeSignIn | Accounts | SqlClient>
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const oauth = new GitHubOAuth(options)
      const github = yield* gitHub(oauth.routes)
      const layer = ForgeTokensSqlite.layer.pipe(
        Layer.provideMerge(Layer.provide(ForgeSignInGitHub.layer, config(github, oauth))),
        Layer.provideMerge(storage)
      )
      return yield* Effect.provide(body({ github, oauth }), layer)
    })
  )

/** Goes to the page that the browser is sent to, and comes back with the code. */
const signIn = Effect.gen(function* () {
  const forge = yield* ForgeSignIn
  const attempt = {
    state: "state",
    verifier: Redacted.make("v".repeat(43)),
    redirectUrl: "http://127.0.0.1/api/v1/auth/github/callback"
  }
  const answer = yield* Effect.promise(() => fetch(forge.authorizationUrl(attempt), { redirect: "manual" }))
  const back = new URL(answer.headers.get("location") ?? "")
  assert.strictEqual(back.searchParams.get("state"), "state")
  const code = Redacted.make(back.searchParams.get("code") ?? "")
  return { attempt, code, forge }
})

/** A user whose token has a minute left. */
const signedIn = ({ github }: Scene) =>
  Effect.gen(function* () {
    const { user } = yield* (yield* Accounts).createToken("ann", { name: "phone", scopes: [] })
    const { attempt, code, forge } = yield* signIn
    const tokens = yield* ForgeTokens
    const { host } = github
    yield* tokens.put(user.id, host, yield* forge.exchange(code, attempt))
    return { host, tokens, tokenFor: tokens.tokenFor(user.id, host), user }
  })

describe("signing in at GitHub over HTTP", () => {
  it.live("exchanges a code once, with the verifier behind its challenge", () =>
    atGitHub({ expiresIn: 28_800 }, () =>
      Effect.gen(function* () {
        const first = yield* signIn
        // Fails when no verifier is sent (mutation: `code_verifier` taken out of the defaults).
        const grant = yield* first.forge.exchange(first.code, first.attempt)
        assert.isNotNull(grant.refreshToken)
        assert.isNotNull(grant.expiresAt)
        assert.strictEqual((yield* first.forge.whoIs(grant.token)).login, "ann")
        const again = yield* Effect.flip(first.forge.exchange(first.code, first.attempt))
        assert.strictEqual(again._tag === "SignInRefused" && again.code, "bad_verification_code")
        const second = yield* signIn
        const foreign = { ...second.attempt, verifier: Redacted.make("w".repeat(43)) }
        const refusal = yield* Effect.flip(second.forge.exchange(second.code, foreign))
        assert.strictEqual(refusal._tag, "SignInRefused")
      })
    )
  )

  it.live("tells trouble from a refusal, and never breaks on what is no answer", () =>
    atGitHub({}, ({ oauth }) =>
      Effect.gen(function* () {
        const { attempt, code, forge } = yield* signIn
        const html = "text/html"
        const json = "application/json"
        oauth.faults.push(
          { status: 502, body: "<html>", type: html },
          { status: 200, body: "<html>", type: html },
          { status: 200, body: "{}", type: json },
          { status: 200, body: "null", type: json },
          { status: 200, body: "{", type: json },
          { status: 302, body: "", type: html },
          { status: 200, body: `{"access_token":"${"x".repeat(2 ** 21)}","scope":""}`, type: json }
        )
        while (oauth.faults.length > 0) {
          const failure = yield* Effect.flip(forge.exchange(code, attempt))
          assert.strictEqual(failure._tag, "ForgeUnavailable")
        }
        assert.isNull((yield* forge.exchange(code, attempt)).expiresAt)
      })
    )
  )
})

describe("ForgeTokensSqlite at GitHub over HTTP", () => {
  // Fails when each asker renews for itself (mutation: `exclusively` taken out of tokenFor).
  it.live("renews a grant once for twenty who need it together", () =>
    atGitHub({ expiresIn: 60 }, (scene) =>
      Effect.gen(function* () {
        const { tokenFor } = yield* signedIn(scene)
        scene.oauth.expiresIn = 28_800
        const asked = yield* Effect.all(
          Array.from({ length: 20 }, () => tokenFor),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(new Set(asked.map(Redacted.value)).size, 1)
        assert.strictEqual(scene.oauth.renewals, 1)
      })
    )
  )

  it.live("is lost, for all who ask, when the answer to a renewal was lost; signing in again mends it", () =>
    atGitHub({ expiresIn: 20 }, (scene) =>
      Effect.gen(function* () {
        const { host, tokenFor, tokens, user } = yield* signedIn(scene)
        scene.oauth.losesRenewal = true
        const first = yield* Effect.flip(tokenFor)
        assert.strictEqual(first._tag, "ForgeUnavailable")
        const then = yield* Effect.all(
          Array.from({ length: 20 }, () => Effect.flip(tokenFor)),
          { concurrency: "unbounded" }
        )
        for (const failure of then) {
          assert.strictEqual(failure._tag === "ReconnectNeeded" && failure.reason, "lost")
        }
        assert.strictEqual(scene.oauth.renewals, 2)
        const { attempt, code, forge } = yield* signIn
        yield* tokens.put(user.id, host, yield* forge.exchange(code, attempt))
        assert.isTrue(Option.isSome(yield* Effect.option(tokenFor)))
      })
    )
  )

  it.live("uses what still lasts when GitHub is away", () =>
    atGitHub({ expiresIn: 120 }, (scene) =>
      Effect.gen(function* () {
        const { tokenFor } = yield* signedIn(scene)
        scene.oauth.faults.push({ status: 503, body: "", type: "text/html" })
        assert.isTrue(scene.github.state.tokens.has(Redacted.value(yield* tokenFor)))
      })
    )
  )

  it.live("renews what GitHub refuses, and keeps what only a repository refuses", () =>
    atGitHub({ expiresIn: 28_800 }, (scene) =>
      Effect.gen(function* () {
        const { host, tokenFor, tokens, user } = yield* signedIn(scene)
        const first = yield* tokenFor
        yield* tokens.refused(user.id, host, first)
        assert.strictEqual(Redacted.value(yield* tokenFor), Redacted.value(first))
        scene.github.state.revoke(Redacted.value(first))
        yield* tokens.refused(user.id, host, first)
        const second = yield* tokenFor
        assert.notStrictEqual(Redacted.value(second), Redacted.value(first))
        assert.strictEqual(scene.oauth.renewals, 1)
      })
    )
  )

  it.live("stores nothing of a grant in clear", () =>
    atGitHub({ expiresIn: 28_800 }, (scene) =>
      Effect.gen(function* () {
        const { tokenFor } = yield* signedIn(scene)
        const token = Redacted.value(yield* tokenFor)
        const sql = yield* SqlClient
        const rows = yield* sql<{ sealed: Uint8Array }>`SELECT sealed FROM forge_grants`
        assert.lengthOf(rows, 1)
        assert.notInclude(Buffer.from(rows[0]?.sealed ?? []).toString("latin1"), token)
      })
    )
  )
})
