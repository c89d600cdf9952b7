/** A session: signed in once by pairing, renewed as long as it is used. */
import { SignedOut, sleep, type Tokens } from "./errand.ts"
import type { components, paths } from "./errand-api.ts"

type Schemas = components["schemas"]
type Claim = paths["/api/v1/auth/pair/claim"]["post"]["responses"]["201"]["content"]["application/json"]

/** What has to survive a restart of the app: in the Keychain, the Keystore, or a file for its user alone. */
export interface Kept {
  readonly load: () => Promise<string>
  readonly save: (refreshToken: string) => Promise<void>
}

const post = async <A>(url: string, path: string, body: unknown): Promise<A | Schemas["Problem"]> => {
  const response = await fetch(`${url}/api/v1/auth/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body)
  })
  return await response.json()
}

/** With a code of `errand pair` or of another device. `show` shows the number, which the person there types. */
export const pair = async (
  url: string,
  code: string,
  deviceName: string,
  kept: Kept,
  show: (number: number) => void
) => {
  const claim = await post<Claim>(url, "pair/claim", { code, deviceName })
  if ("detail" in claim) throw new Error(claim.detail)
  show(claim.number)
  const { intervalSeconds, pairingId, secret } = claim
  for (;;) {
    const answer = await post<Schemas["TokenAnswer"]>(url, "token", { grantType: "pairing", pairingId, secret })
    if ("refreshToken" in answer) return await kept.save(answer.refreshToken)
    if (answer.code !== "authorization_pending") throw new Error(answer.detail)
    await sleep(intervalSeconds * 1000)
  }
}

/** Access tokens from a session. One refresh at a time: each refresh token is for one use. */
export const sessionTokens = (url: string, kept: Kept): Tokens => {
  let current: { readonly accessToken: string; readonly until: number } | undefined
  let refreshing: Promise<string> | undefined

  const refresh = async (): Promise<string> => {
    // When this answer is lost, the same token may be sent again for a minute, and gives the same successor.
    const answer = await post<Schemas["TokenAnswer"]>(url, "refresh", { refreshToken: await kept.load() })
    if ("code" in answer) throw answer.status === 401 ? new SignedOut(answer.detail) : new Error(answer.detail)
    await kept.save(answer.refreshToken)
    current = { accessToken: answer.accessToken, until: Date.now() + (answer.expiresInSeconds - 60) * 1000 }
    return answer.accessToken
  }

  return async (renew = false) => {
    if (!renew && current !== undefined && Date.now() < current.until) return current.accessToken
    refreshing ??= refresh().finally(() => {
      refreshing = undefined
    })
    return await refreshing
  }
}
