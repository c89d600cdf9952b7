/**
 * One request to the API of a forge: bounded in time and bytes, its answer checked.
 */
// @effect-diagnostics asyncFunction:off globalFetch:off: octokit asks for a promise of a `fetch`.
import { Octokit } from "@octokit/core"
import { Effect, Redacted, Schema } from "effect"
import type { ForgeFailed } from "../../services/Forge.ts"
import type { ForgePlace } from "../../services/forges.ts"
import { forgeFailed, moved, unavailable } from "./failures.ts"

/** Asks by a route, as `GET /repos/{owner}/{repo}/pulls`; owner and repo of the place are given to every one. */
export type Call = <A, I>(
  route: string,
  parameters: Readonly<Record<string, unknown>>,
  answer: Schema.Schema<A, I>
) => Effect.Effect<A, ForgeFailed>

const patience = "20 seconds"
/** A list of pull requests with long descriptions stays below. */
const mostBytes = 16 * 1024 * 1024

class AnswerTooLarge extends Schema.TaggedError<AnswerTooLarge>()("AnswerTooLarge", {}) {}

const readAll = async (body: ReadableStream<Uint8Array>): Promise<Buffer> => {
  const chunks: Array<Uint8Array> = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > mostBytes) return Promise.reject(new AnswerTooLarge())
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Follows nothing: a redirect could lead the token's owner anywhere. */
const boundedFetch = async (url: string, init: RequestInit): Promise<Response> => {
  const response = await fetch(url, { ...init, redirect: "manual" })
  const { headers, status, statusText } = response
  const body = response.body === null ? null : await readAll(response.body)
  return new Response(status === 204 || status === 205 || status === 304 ? null : body, { headers, status, statusText })
}

const quiet = () => undefined

/** Requests to one forge in the name of whoever has the token. */
export const makeCall = ({ api, host, kind, repository }: ForgePlace, token: Redacted.Redacted): Call => {
  const octokit = new Octokit({
    baseUrl: api,
    userAgent: "errand",
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    request: { fetch: boundedFetch }
  })
  const headers = {
    authorization: `token ${Redacted.value(token)}`,
    ...(kind === "github" ? { accept: "application/vnd.github+json", "x-github-api-version": "2022-11-28" } : {})
  }
  return (route, parameters, answer) =>
    // @effect-diagnostics-next-line anyUnknownInErrorContext:off unknownInEffectCatch:off -- what it rejects with is looked at right after
    Effect.tryPromise({
      try: (signal) => octokit.request(route, { ...repository, ...parameters, headers, request: { signal } }),
      catch: (cause) => cause
    }).pipe(
      Effect.timeoutFail({ duration: patience, onTimeout: () => "it took too long" }),
      Effect.catchAll((cause) => Effect.flatMap(forgeFailed(host, cause), Effect.fail)),
      Effect.filterOrFail(
        ({ status }) => status < 300,
        () => moved(host)
      ),
      Effect.flatMap(({ data }) =>
        Effect.mapError(Schema.decodeUnknown(answer)(data), () => unavailable(host, "did not answer as a forge does"))
      ),
      Effect.withSpan("Forge.request", { attributes: { route } })
    )
}
