/** Signing in over HTTP, against a GitHub over HTTP. Each test names the change that makes it fail. */
import { createHash, randomBytes } from "node:crypto"
import { assert, describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import * as ForgeSignInGitHub from "../../src/layers/ForgeSignInGitHub.ts"
import type { GitHubSettings } from "../../src/services/AppConfig.ts"
import { AppConfig } from "../../src/services/AppConfig.ts"
import { Secrets } from "../../src/services/Secrets.ts"
import { type GitHub, gitHub } from "../support/github/gitHub.ts"
import { GitHubOAuth, type OAuthOptions } from "../support/github/oauth.ts"
import { settings } from "../support/settings.ts"
import { ask, baseUrl, door, tokenFor } from "./door.ts"

interface Scene {
  readonly github: GitHub
  readonly oauth: GitHubOAuth
}

const scene = <A, E, R>(
  options: OAuthOptions & { readonly allowed?: Partial<GitHubSettings["allowedLogins"]> },
  body: (scene: Scene) => Effect.Effect<A, E, R>
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const oauth = new GitHubOAuth(options)
      const github = yield* gitHub(oauth.routes)
      const configured = {
        ...settings,
        github: {
          url: github.url,
          apiUrl: github.apiUrl,
          app: Option.some({ clientId: oauth.clientId, clientSecret: Redacted.make(oauth.clientSecret) }),
          allowedLogins: { users: ["ann"], organizations: [], ...options.allowed }
        }
      }
      const signIn = Layer.provide(ForgeSignInGitHub.layer, Layer.succeed(AppConfig, configured))
      return yield* Effect.provide(body({ github, oauth }), door({ settings: configured, signIn }))
    })
  )

/** An app's own secret, and the challenge that it shows before. */
const pkce = () => {
  const verifier = randomBytes(32).toString("base64url")
  return { verifier, challenge: createHash("sha256").update(verifier).digest("base64url") }
}

const start = (query: Readonly<Record<string, string>>) =>
  Effect.flatMap(baseUrl, (url) =>
    Effect.promise(() => fetch(`${url}/api/v1/auth/github/start?${new URLSearchParams(query)}`, { redirect: "manual" }))
  )

const cookieOf = (response: Response) =>
  response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(";", 1)[0] ?? "")
    .filter((cookie) => !cookie.endsWith("="))
    .join("; ")

const follow = (location: string, cookie = "") =>
  Effect.promise(() => fetch(location, { redirect: "manual", headers: cookie === "" ? {} : { cookie } }))

const locationOf = (response: Response) => response.headers.get("location") ?? assert.fail("there is no redirect")

const appQuery = (challenge: string) => ({
  redirect_uri: "errand://signed-in",
  code_challenge: challenge,
  code_challenge_method: "S256",
  state: "app-state"
})

/** As far as GitHub's redirect back to the server. */
const atCallback = Effect.fnUntraced(function* (query: Readonly<Record<string, string>>) {
  const began = yield* start(query)
  const atGitHub = yield* follow(locationOf(began))
  return { cookie: cookieOf(began), callback: locationOf(atGitHub) }
})

/** As far as the app's one-use code. */
const appCode = Effect.fnUntraced(function* () {
  const { challenge, verifier } = pkce()
  const { callback, cookie } = yield* atCallback(appQuery(challenge))
  const back = new URL(locationOf(yield* follow(callback, cookie)))
  return { back, code: back.searchParams.get("code") ?? "", verifier }
})

const read = (headers: Readonly<Record<string, string>>) => ask("GET", "/api/v1/me", { headers })

const refresh = (refreshToken: string) => ask("POST", "/api/v1/auth/refresh", { body: { refreshToken } })

/** The whole way of somebody's app; what it is told when they are not let in. */
const signIn = Effect.fnUntraced(function* (oauth: GitHubOAuth, person: string) {
  oauth.person = person
  const { back, code, verifier } = yield* appCode()
  if (back.searchParams.get("error") !== null) return back.searchParams.get("error")
  const { json } = yield* redeem(code, verifier)
  const me = yield* ask("GET", "/api/v1/me", { token: json.accessToken })
  return { role: me.json.role, token: String(json.accessToken) }
})

const redeem = (code: string, codeVerifier: string) =>
  ask("POST", "/api/v1/auth/token", {
    body: { grantType: "authorization_code", code, codeVerifier, deviceName: "phone" }
  })

describe("signing in with GitHub", () => {
  it.live("brings an app its tokens by a code that only it can use, and only once", () =>
    scene({ expiresIn: 28_800 }, ({ github }) =>
      Effect.gen(function* () {
        const { back, code, verifier } = yield* appCode()
        expect(`${back.protocol}//${back.host}`).toBe("errand://signed-in")
        expect(back.searchParams.get("state")).toBe("app-state")
        expect([...back.searchParams.keys()].toSorted()).toEqual(["code", "state"])
        const tokens = yield* redeem(code, verifier)
        expect(tokens.status).toBe(200)
        expect(tokens.headers.get("cache-control")).toBe("no-store")
        const me = yield* ask("GET", "/api/v1/me", { token: tokens.json.accessToken })
        expect(me.json).toMatchObject({ login: "ann", role: "owner", deviceId: tokens.json.deviceId })
        const devices = yield* ask("GET", "/api/v1/devices", { token: tokens.json.accessToken })
        expect(devices.json.items).toMatchObject([{ kind: "session", name: "phone", current: true }])
        // Fails when the code is looked at instead of taken (mutation: tickets.find in byCode).
        expect((yield* redeem(code, verifier)).json).toMatchObject({ status: 400, code: "invalid_grant" })
        expect(github.state.tokens.size).toBe(1)
      })
    )
  )

  it.live("burns a code that is shown with a wrong verifier", () =>
    scene({}, () =>
      Effect.gen(function* () {
        const { code, verifier } = yield* appCode()
        // Fails when a wrong verifier leaves the code in place.
        expect((yield* redeem(code, pkce().verifier)).json.code).toBe("invalid_grant")
        expect((yield* redeem(code, verifier)).json.code).toBe("invalid_grant")
      })
    )
  )

  it.live("sends an app back only to a URI of the setting, and never without a challenge", () =>
    scene({}, () =>
      Effect.gen(function* () {
        const { challenge } = pkce()
        for (const redirect_uri of [
          "errand://signed-in/",
          "errand://signed-in.evil",
          "errand://signed-in?x=1",
          "errand://signed-in@evil",
          "ERRAND://signed-in",
          "https://evil.example/",
          "javascript:alert(1)",
          "//evil.example",
          " errand://signed-in"
        ]) {
          // Fails with startsWith instead of includes.
          const refused = yield* start({ ...appQuery(challenge), redirect_uri })
          expect([redirect_uri, refused.status]).toEqual([redirect_uri, 422])
        }
        const { code_challenge: _, ...bare } = appQuery(challenge)
        expect((yield* start(bare)).status).toBe(422)
        expect((yield* start({ ...appQuery(challenge), code_challenge_method: "plain" })).status).toBe(422)
        expect((yield* start({ ...appQuery(challenge), code_challenge: "short" })).status).toBe(422)
      })
    )
  )

  it.live("takes a callback once, and only from the browser that left", () =>
    scene({}, () =>
      Effect.gen(function* () {
        const query = appQuery(pkce().challenge)
        const first = yield* atCallback(query)
        const other = yield* atCallback(query)
        // Fails when the cookie is not compared.
        expect((yield* follow(first.callback)).status).toBe(400)
        const second = yield* atCallback(query)
        expect((yield* follow(second.callback, other.cookie)).status).toBe(400)
        const third = yield* atCallback(query)
        expect((yield* follow(third.callback, third.cookie)).status).toBe(302)
        // Fails when the state is not taken away.
        expect((yield* follow(third.callback, third.cookie)).status).toBe(400)
        for (const state of [undefined, "", "x", "../../x", "%00", "x".repeat(600)]) {
          const url = new URL(third.callback)
          url.searchParams.delete("state")
          if (state !== undefined) url.searchParams.set("state", state)
          expect((yield* follow(url.href, third.cookie)).status).toBeGreaterThanOrEqual(400)
        }
      })
    )
  )

  it.live("gives a browser a cookie that serves its own pages, and no script", () =>
    scene({}, ({ oauth }) =>
      Effect.gen(function* () {
        const { callback, cookie } = yield* atCallback({})
        const page = yield* follow(callback, cookie)
        expect(page.status).toBe(200)
        const set = page.headers.getSetCookie().find((one) => one.startsWith("errand_session=")) ?? ""
        expect(set).toMatch(/HttpOnly/i)
        expect(set).toMatch(/SameSite=Lax/i)
        const session = cookieOf(page)
        const url = yield* baseUrl
        expect((yield* read({ cookie: session })).json.login).toBe("ann")
        const submit = (headers: Readonly<Record<string, string>>) =>
          ask("PUT", "/api/v1/git-credentials/git.example", {
            headers: { cookie: session, ...headers },
            body: { kind: "token", value: "x" }
          })
        // Fails when the Origin of a command is not looked at.
        expect((yield* submit({})).status).toBe(403)
        expect((yield* submit({ origin: "https://evil.example" })).status).toBe(403)
        expect((yield* submit({ origin: "null" })).status).toBe(403)
        expect((yield* submit({ origin: url })).status).toBe(204)
        const value = session.split("=")[1] ?? ""
        expect((yield* ask("GET", "/api/v1/me", { token: value })).status).toBe(401)
        const { token } = yield* tokenFor("ann")
        expect((yield* read({ cookie: `errand_session=${token}` })).status).toBe(401)
        const out = yield* ask("POST", "/api/v1/auth/logout", { headers: { cookie: session, origin: url } })
        expect(out.status).toBe(204)
        expect((yield* read({ cookie: session })).status).toBe(401)
        oauth.denies = true
        const denied = yield* atCallback({})
        expect((yield* follow(denied.callback, denied.cookie)).status).toBe(403)
      })
    )
  )

  it.live("lets in whom the setting names, whoever is in an organization of it, and who was invited", () =>
    scene({ allowed: { users: ["ann", "ben"], organizations: ["acme"] } }, ({ github, oauth }) =>
      Effect.gen(function* () {
        github.state.organizations.set("cleo", ["Acme"])
        github.state.organizations.set("eve", ["acme-evil"])
        // Whoever comes first is not the owner for that.
        expect(yield* signIn(oauth, "ben")).toMatchObject({ role: "member" })
        expect(yield* signIn(oauth, "cleo")).toMatchObject({ role: "member" })
        // Fails when anybody with an account at GitHub is let in.
        expect(yield* signIn(oauth, "eve")).toBe("access_denied")
        const ann = yield* signIn(oauth, "ann")
        expect(ann).toMatchObject({ role: "owner" })
        const token = typeof ann === "object" && ann !== null ? ann.token : ""
        expect(yield* signIn(oauth, "dan")).toBe("access_denied")
        const invited = yield* ask("POST", "/api/v1/users", { token, body: { login: "dan" } })
        expect(invited).toMatchObject({ status: 201, json: { login: "dan", role: "member" } })
        const dan = yield* signIn(oauth, "dan")
        expect(dan).toMatchObject({ role: "member" })
        const danToken = typeof dan === "object" && dan !== null ? dan.token : ""
        expect((yield* ask("GET", "/api/v1/users", { token: danToken })).json.code).toBe("owner_required")
        const users = yield* ask("GET", "/api/v1/users", { token })
        expect(users.json.items.map(({ login }: { login: string }) => login)).toEqual(["ben", "cleo", "ann", "dan"])
        const secret = { value: "dan's own secret", hosts: ["api.example"] }
        expect((yield* ask("PUT", "/api/v1/secrets/API_KEY", { token: danToken, body: secret })).status).toBe(204)
        const gone = yield* ask("DELETE", `/api/v1/users/${invited.json.id}`, { token })
        expect(gone.status).toBe(204)
        // Fails when the secrets of somebody who was removed are kept.
        expect(yield* Effect.flatMap(Secrets, (secrets) => secrets.list(invited.json.id))).toEqual([])
        expect((yield* ask("GET", "/api/v1/me", { token: danToken })).status).toBe(401)
        expect(yield* signIn(oauth, "dan")).toBe("access_denied")
        const ownId = users.json.items.find(({ login }: { login: string }) => login === "ann").id
        expect((yield* ask("DELETE", `/api/v1/users/${ownId}`, { token })).status).toBe(409)
      })
    )
  )

  it.live("signs a device in that has no browser, at GitHub's pace", () =>
    scene({ interval: 1 }, ({ oauth }) =>
      Effect.gen(function* () {
        const began = yield* ask("POST", "/api/v1/auth/device", { body: {} })
        expect(began.json).toMatchObject({ intervalSeconds: 1, expiresInSeconds: 900 })
        const poll = ask("POST", "/api/v1/auth/token", {
          body: { grantType: "device_code", deviceCode: began.json.deviceCode, deviceName: "laptop" }
        })
        expect((yield* poll).json.code).toBe("authorization_pending")
        expect((yield* poll).json.code).toBe("slow_down")
        expect(oauth.typeCode(began.json.userCode)).toBe(true)
        yield* Effect.sleep("1100 millis")
        const tokens = yield* poll
        expect(tokens.status).toBe(200)
        expect((yield* ask("GET", "/api/v1/me", { token: tokens.json.accessToken })).json.login).toBe("ann")
        expect((yield* poll).json.code).toBe("invalid_grant")
        const refused = yield* ask("POST", "/api/v1/auth/device", { body: {} })
        oauth.typeCode(refused.json.userCode, "deny")
        const denied = yield* ask("POST", "/api/v1/auth/token", {
          body: { grantType: "device_code", deviceCode: refused.json.deviceCode }
        })
        expect(denied.json.code).toBe("sign_in_refused")
      })
    )
  )

  it.live("says so when GitHub is in trouble, and lets nobody in", () =>
    scene({}, ({ github, oauth }) =>
      Effect.gen(function* () {
        const query = appQuery(pkce().challenge)
        const first = yield* atCallback(query)
        oauth.faults.push({ status: 502, body: "<html>", type: "text/html" })
        expect((yield* follow(first.callback, first.cookie)).status).toBe(503)
        const second = yield* atCallback(query)
        github.fail("GET /user", { _tag: "Page", status: 500 })
        expect((yield* follow(second.callback, second.cookie)).status).toBe(503)
      })
    )
  )
})

describe("a session", () => {
  it.live("goes on with its refresh token, which is no access token, nor the reverse", () =>
    scene({}, () =>
      Effect.gen(function* () {
        const { code, verifier } = yield* appCode()
        const first = (yield* redeem(code, verifier)).json
        const all = yield* Effect.all(
          Array.from({ length: 100 }, () => refresh(first.refreshToken)),
          { concurrency: "unbounded" }
        )
        expect(new Set(all.map(({ json, status }) => `${status} ${json.refreshToken}`)).size).toBe(1)
        expect(all[0]?.status).toBe(200)
        // Fails when hashToken does not look at the kind of a token.
        expect((yield* ask("GET", "/api/v1/me", { token: first.refreshToken })).status).toBe(401)
        for (const wrong of [first.accessToken, (yield* tokenFor("ann")).token, code, "x"]) {
          expect((yield* refresh(wrong)).json).toMatchObject({ status: 401, code: "session_ended" })
        }
      })
    )
  )
})
