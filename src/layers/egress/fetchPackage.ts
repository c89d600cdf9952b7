/**
 * Asking a registry, and handing its answer to a client inside a sandbox.
 *
 * Owns: what of a request and of an answer goes through: nothing that is not named here.
 * Does not own: what may be asked for (`registries.ts`).
 */
import { Cache, Effect, Exit, type Scope } from "effect"
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest, type ServerResponse } from "node:http"
import { Agent as HttpsAgent, request as httpsRequest } from "node:https"
import { pipeline, Transform } from "node:stream"
import { createGunzip } from "node:zlib"
import type { Registry } from "../../services/Registries.ts"
import type { Replacements, Route } from "./Ecosystem.ts"
import type { Ledger } from "./Ledger.ts"
import * as limits from "./limits.ts"
import { fixedLookup, type Outside, publicAddresses } from "./Outside.ts"
import { never, Refused } from "./Refused.ts"
import { replaceText } from "./replaceText.ts"
import { overBudget } from "./tunnel.ts"

export interface Fetching {
  readonly ledger: Ledger
  readonly reach: RegistryReach
}

/** How registries are reached, for one way alone: no task waits for another. */
export interface RegistryReach {
  /** Connections, kept for the next request. */
  readonly http: HttpAgent
  readonly https: HttpsAgent
  /** Addresses of a public registry, known for half a minute: an install asks for a thousand packages. */
  readonly addresses: Cache.Cache<string, ReadonlyArray<string>, Refused>
}

export const makeReach = Effect.fnUntraced(function* (outside: Outside) {
  const options = { keepAlive: true, maxSockets: 64, maxFreeSockets: 16, timeout: limits.answerMs }
  const reach: RegistryReach = {
    http: new HttpAgent(options),
    https: new HttpsAgent(options),
    addresses: yield* Cache.makeWith({
      capacity: 16,
      lookup: (host: string) => publicAddresses(outside, host),
      timeToLive: Exit.match({ onFailure: () => "1 second", onSuccess: () => "30 seconds" })
    })
  }
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      reach.http.destroy()
      reach.https.destroy()
    })
  )
  return reach
})

/** Said of every task alike: nothing of the sandbox's own words goes out but names of packages. */
const userAgent = "errand-registry-proxy"

const etag = /^(?:W\/)?"[\w+/=.:-]{1,128}"$/
const range = /^bytes=\d{1,15}-(?:\d{1,15})?$/

/** Headers of a request, made anew from those of the client that mean something to a registry. */
const headersFor = ({ headers }: IncomingMessage, { accept, replacements }: Route) => {
  const wanted = accept?.find((type) => headers.accept?.includes(type)) ?? accept?.at(-1) ?? "*/*"
  const since = Date.parse(headers["if-modified-since"] ?? "")
  return {
    accept: wanted,
    "user-agent": userAgent,
    // What is rewritten must be read; the rest goes through as it is, in the form that the client can read.
    ...(replacements !== undefined || /\bgzip\b/.test(String(headers["accept-encoding"] ?? ""))
      ? { "accept-encoding": "gzip" }
      : {}),
    ...(etag.test(headers["if-none-match"] ?? "") ? { "if-none-match": headers["if-none-match"] } : {}),
    // @effect-diagnostics-next-line globalDate:off -- the form that HTTP has for times
    ...(Number.isNaN(since) ? {} : { "if-modified-since": new Date(since).toUTCString() }),
    ...(range.test(headers.range ?? "") ? { range: headers.range } : {})
  }
}

const passedOn = ["content-type", "etag", "last-modified", "cache-control", "accept-ranges", "content-range"] as const

const unreachable = (host: string, why: string) =>
  new Refused({
    status: 502,
    host,
    reason: `the registry can't be reached from the server (${why})`,
    remedy: "Try again later; the operator can name another one in ERRAND_REGISTRIES."
  })

const ask = (
  { reach }: Fetching,
  request: IncomingMessage,
  route: Route,
  { trusted }: Registry
): Effect.Effect<IncomingMessage, Refused, Scope.Scope> =>
  Effect.gen(function* () {
    const url = new URL(route.url)
    const host = url.hostname
    const lookup = trusted ? {} : { lookup: fixedLookup(yield* reach.addresses.get(host)) }
    const options = {
      method: request.method ?? "GET",
      headers: headersFor(request, route),
      maxHeaderSize: limits.headBytes,
      ...lookup
    }
    return yield* Effect.acquireRelease(
      Effect.async<IncomingMessage, Refused>((resume) => {
        const asking =
          url.protocol === "https:"
            ? httpsRequest(url, { ...options, agent: reach.https })
            : httpRequest(url, { ...options, agent: reach.http })
        asking.on("error", (error) => resume(unreachable(host, error.message)))
        asking.on("response", (answer) => resume(Effect.succeed(answer)))
        asking.end()
        return Effect.sync(() => asking.destroy())
      }).pipe(
        Effect.interruptible,
        Effect.timeoutFail({ duration: limits.answerMs, onTimeout: () => unreachable(host, "no answer in time") })
      ),
      (answer) => Effect.sync(() => answer.readableEnded || answer.destroy())
    )
  })

/** A redirect is told to the client, which asks again and is checked again; none leads out of the registry. */
const locationOf = (answer: IncomingMessage, { replacements = [], url }: Route): string | undefined => {
  const { location } = answer.headers
  if (location === undefined || !URL.canParse(location, url)) return undefined
  const target = new URL(location, url).href
  const [known] = replacements.filter(([base]) => target.startsWith(base))
  return known && known[1] + target.slice(known[0].length)
}

/** Documents are read whole only as a stream: never more of one at a time than a piece. */
const reading = (answer: IncomingMessage, replacements: Replacements): ReadonlyArray<Transform> => {
  let bytes = 0
  const bounded = new Transform({
    transform(piece: Buffer, _encoding, done) {
      bytes += piece.length
      done(bytes > limits.documentBytes ? new Error("the document is too large") : null, piece)
    }
  })
  return [
    ...(answer.headers["content-encoding"] === "gzip" ? [createGunzip()] : []),
    bounded,
    replaceText(replacements)
  ]
}

export const fetchPackage = Effect.fnUntraced(function* (
  fetching: Fetching,
  request: IncomingMessage,
  response: ServerResponse,
  route: Route,
  registry: Registry
) {
  const { ledger } = fetching
  const { host } = new URL(registry.url)
  if (route.answer !== undefined) {
    response.writeHead(200, { "content-type": "text/plain" }).end(route.answer)
    return
  }
  if (!ledger.sent(host, request.url?.length ?? 0, limits.budget.sentToRegistry)) return yield* overBudget(host)
  const answer = yield* ask(fetching, request, route, registry)
  const { statusCode: status = 502 } = answer
  const isRewritten = route.replacements !== undefined && status === 200 && request.method !== "HEAD"
  const encoding = answer.headers["content-encoding"]
  if (isRewritten && encoding !== undefined && encoding !== "gzip" && encoding !== "identity") {
    return yield* unreachable(host, `it answers in the encoding ${encoding}`)
  }
  const headers: Record<string, string> = {}
  for (const name of isRewritten ? passedOn : ([...passedOn, "content-length", "content-encoding"] as const)) {
    const value = answer.headers[name]
    if (value !== undefined) headers[name] = value
  }
  if (status >= 300 && status < 400 && status !== 304) {
    const location = locationOf(answer, route)
    if (location === undefined) return yield* never(host, "the registry redirects to another place")
    headers["location"] = location
  }
  response.writeHead(status, headers)
  yield* Effect.async<void, Refused>((resume) => {
    answer.on("data", (piece: Buffer) => ledger.received(host, piece.length) || resume(overBudget(host)))
    const parts = isRewritten && route.replacements !== undefined ? reading(answer, route.replacements) : []
    answer.setTimeout(limits.answerMs, () => answer.destroy(new Error("no more data in time")))
    // A broken answer must break the client's too: it would take a part for the whole.
    pipeline([answer, ...parts, response], () => resume(Effect.void))
  })
})
