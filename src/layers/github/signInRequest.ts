/**
 * One request of the conversation about sign-in, to the site or to the API.
 *
 * Owns: bounds (no redirect, ten seconds, a megabyte), and telling a refusal from trouble on the way.
 * Does not own: what is asked (`ForgeSignInGitHub.ts`).
 */
// @effect-diagnostics asyncFunction:off globalFetch:off: octokit asks for a `fetch`.
import { Octokit } from "@octokit/core"
import { Effect, Predicate } from "effect"
import { SignInRefused } from "../../services/ForgeSignIn.ts"
import { ForgeUnavailable } from "../../services/ForgeTokens.ts"

const patienceMs = 10_000
const mostBytes = 2 ** 20

/** The whole answer, as one that has been read. */
const boundedFetch: typeof fetch = async (input, init) => {
  const response = await fetch(input, init)
  const chunks: Array<Uint8Array> = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > mostBytes) throw new Error("the answer is too large")
    chunks.push(chunk)
  }
  const body = response.status === 204 || response.status === 304 ? null : Buffer.concat(chunks)
  return new Response(body, response)
}

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/**
 * octokit with this base URL, for one request. Its time is bounded by a signal, because who renews a grant must not be
 * interrupted.
 */
const octokitAt = (baseUrl: string, interrupted: AbortSignal) => {
  const signal = AbortSignal.any([interrupted, AbortSignal.timeout(patienceMs)])
  return new Octokit({
    baseUrl,
    userAgent: "errand",
    log: quiet,
    request: { fetch: boundedFetch, redirect: "error", signal }
  })
}

const textOf = (data: unknown, key: string): string | undefined => {
  const value = Predicate.hasProperty(data, key) ? data[key] : undefined
  return typeof value === "string" ? value.slice(0, 200) : undefined
}

const dataOf = (error: unknown): unknown =>
  Predicate.hasProperty(error, "response") && Predicate.hasProperty(error.response, "data")
    ? error.response.data
    : undefined

/** An `error` in an answer, or a 401, is the forge's word; anything else is trouble, whatever it looks like. */
const failureOf = (host: string) => (error: unknown) => {
  const data = dataOf(error)
  const code = textOf(data, "error")
  if (code !== undefined) return new SignInRefused({ code, detail: textOf(data, "error_description") ?? code })
  const status = Predicate.hasProperty(error, "status") ? error.status : undefined
  if (status === 401) return new SignInRefused({ code: "bad_credentials", detail: `${host} takes this token not.` })
  const isAnswer = Predicate.hasProperty(error, "response")
  return new ForgeUnavailable({
    host,
    detail: isAnswer ? `it answered with status ${String(status)}` : "it can't be reached"
  })
}

export const ask = <A>(
  baseUrl: string,
  request: (octokit: Octokit) => Promise<A>
): Effect.Effect<A, SignInRefused | ForgeUnavailable> => {
  const { host } = new URL(baseUrl)
  return Effect.tryPromise({ try: (signal) => request(octokitAt(baseUrl, signal)), catch: failureOf(host) })
}
