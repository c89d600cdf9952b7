/**
 * The sign-in of the GitHub of the tests: OAuth with PKCE, the device flow, grants that are renewed once.
 *
 * A person is whoever `person` names when a browser asks to be let in.
 */
import { createHash, randomBytes } from "node:crypto"
import type { WebRoute } from "./Site.ts"
import type { GitHubState } from "./state.ts"

interface Code {
  readonly login: string
  readonly redirectUri: string
  readonly challenge: string | null
}

interface DeviceCode {
  readonly userCode: string
  login: string | null
  denied: boolean
  askedAt: number
}

export interface OAuthOptions {
  readonly clientId?: string
  readonly clientSecret?: string
  /** A GitHub App's tokens end after so many seconds, and are renewed; an OAuth App's last. */
  readonly expiresIn?: number
  /** Seconds between two questions of the device flow. */
  readonly interval?: number
}

const random = (prefix: string) => `${prefix}${randomBytes(18).toString("hex")}`

const json = (body: unknown, status = 200) => ({
  status,
  headers: { date: new Date().toUTCString() },
  body: JSON.stringify(body)
})

const refusal = (error: string) =>
  json({ error, error_description: `The ${error.replaceAll("_", " ")}.`, error_uri: "https://docs.github.com/" })

export class GitHubOAuth {
  readonly clientId: string
  readonly clientSecret: string
  person = "ann"
  /** Seconds that a token of a GitHub App lasts; null for an OAuth App's, which last until they are revoked. */
  expiresIn: number | null
  /** What the person decides in the browser. */
  denies = false
  /** How often a grant was asked to be renewed. */
  renewals = 0
  /** The answer to the next renewal is lost on the way. */
  losesRenewal = false
  /** What comes instead of the next answers to a question for a token. */
  readonly faults: Array<{ readonly status: number; readonly body: string; readonly type: string }> = []
  readonly redirects: Array<string> = []
  readonly #options: OAuthOptions
  readonly #codes = new Map<string, Code>()
  readonly #refreshTokens = new Map<string, { readonly login: string; used: boolean }>()
  readonly #devices = new Map<string, DeviceCode>()

  constructor(options: OAuthOptions = {}) {
    this.#options = options
    this.clientId = options.clientId ?? "Iv1.errand"
    this.expiresIn = options.expiresIn ?? null
    this.clientSecret = options.clientSecret ?? "client-secret"
  }

  /** The person types a code at the page for devices. */
  typeCode(userCode: string, decision: "allow" | "deny" = "allow"): boolean {
    const device = [...this.#devices.values()].find((one) => one.userCode === userCode)
    if (device === undefined) return false
    if (decision === "allow") device.login = this.person
    else device.denied = true
    return true
  }

  /** The person takes back what they let the application do: no grant is renewed any more. */
  revokeGrants(): void {
    this.#refreshTokens.clear()
  }

  readonly routes: ReadonlyArray<WebRoute> = [
    { method: "GET", path: "/login/oauth/authorize", answer: ({ url }) => this.#authorize(url) },
    { method: "POST", path: "/login/oauth/access_token", answer: ({ body, state }) => this.#token(read(body), state) },
    { method: "POST", path: "/login/device/code", answer: ({ body, web }) => this.#device(read(body), web) }
  ]

  /** The page, as if the person had pressed the button. */
  #authorize(url: URL) {
    const query = url.searchParams
    const redirectUri = query.get("redirect_uri") ?? ""
    if (query.get("client_id") !== this.clientId) return { status: 404, body: "no such app" }
    const back = new URL(redirectUri)
    back.searchParams.set("state", query.get("state") ?? "")
    if (this.denies) back.searchParams.set("error", "access_denied")
    else {
      const isPkce = query.get("code_challenge_method") === "S256"
      const code = random("")
      this.#codes.set(code, {
        login: this.person,
        redirectUri,
        challenge: isPkce ? query.get("code_challenge") : null
      })
      back.searchParams.set("code", code)
    }
    this.redirects.push(redirectUri)
    return { status: 302, headers: { location: back.href } }
  }

  #grant(login: string, state: GitHubState) {
    const token = state.addToken(login)
    const { expiresIn } = this
    if (expiresIn === null) return { access_token: token, token_type: "bearer", scope: "repo" }
    const refreshToken = random("ghr_")
    this.#refreshTokens.set(refreshToken, { login, used: false })
    return {
      access_token: token,
      expires_in: expiresIn,
      refresh_token: refreshToken,
      refresh_token_expires_in: 15_897_600,
      token_type: "bearer",
      scope: ""
    }
  }

  #token(body: Readonly<Record<string, string>>, state: GitHubState) {
    const fault = this.faults.shift()
    if (fault !== undefined) {
      return { status: fault.status, headers: { "content-type": fault.type }, body: fault.body }
    }
    if (body["client_id"] !== this.clientId) return refusal("incorrect_client_credentials")
    if (body["grant_type"]?.endsWith(":device_code") === true) return this.#pollDevice(body["device_code"] ?? "", state)
    if (body["client_secret"] !== this.clientSecret) return refusal("incorrect_client_credentials")
    return body["grant_type"] === "refresh_token"
      ? this.#renew(body["refresh_token"] ?? "", state)
      : this.#exchange(body, state)
  }

  #exchange(body: Readonly<Record<string, string>>, state: GitHubState) {
    const code = this.#codes.get(body["code"] ?? "")
    this.#codes.delete(body["code"] ?? "")
    if (code === undefined) return refusal("bad_verification_code")
    if (body["redirect_uri"] !== code.redirectUri) return refusal("redirect_uri_mismatch")
    const challenge = createHash("sha256")
      .update(body["code_verifier"] ?? "")
      .digest("base64url")
    if (code.challenge !== null && code.challenge !== challenge) return refusal("bad_verification_code")
    return json(this.#grant(code.login, state))
  }

  #renew(refreshToken: string, state: GitHubState) {
    this.renewals++
    const known = this.#refreshTokens.get(refreshToken)
    if (known === undefined || known.used) return refusal("bad_refresh_token")
    known.used = true
    const grant = this.#grant(known.login, state)
    if (!this.losesRenewal) return json(grant)
    this.losesRenewal = false
    return { status: 502, headers: { "content-type": "text/html" }, body: "<html>Unicorn!</html>" }
  }

  #device(body: Readonly<Record<string, string>>, web: string) {
    if (body["client_id"] !== this.clientId) return refusal("incorrect_client_credentials")
    const deviceCode = random("")
    const userCode = `${randomBytes(2).toString("hex")}-${randomBytes(2).toString("hex")}`.toUpperCase()
    this.#devices.set(deviceCode, { userCode, login: null, denied: false, askedAt: 0 })
    return json({
      device_code: deviceCode,
      user_code: userCode,
      verification_uri: `${web}/login/device`,
      expires_in: 900,
      interval: this.#options.interval ?? 5
    })
  }

  #pollDevice(deviceCode: string, state: GitHubState) {
    const device = this.#devices.get(deviceCode)
    if (device === undefined) return refusal("incorrect_device_code")
    if (device.denied) return refusal("access_denied")
    const now = Date.now()
    const isTooSoon = now - device.askedAt < (this.#options.interval ?? 5) * 1000
    device.askedAt = now
    if (isTooSoon) return refusal("slow_down")
    if (device.login === null) return refusal("authorization_pending")
    this.#devices.delete(deviceCode)
    return json(this.#grant(device.login, state))
  }
}

const read = (body: string): Readonly<Record<string, string>> =>
  body.startsWith("{") ? JSON.parse(body) : Object.fromEntries(new URLSearchParams(body))
