/**
 * A request as a span: its method, its route, what came of it, and the ids that the log has too. Its URL and headers stay
 * here, because they can hold what opens a door.
 */
import type { HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Effect, Tracer } from "effect"
import { type Attributes, traced } from "../services/traced.ts"
import { streamPath } from "./stream/streamPath.ts"

const traceparent = /^00-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})$/

/** What the client was doing when it asked, as the W3C's trace context says it. */
const parentOf = (header: string | undefined): { readonly parent: Tracer.ExternalSpan } | { readonly root: true } => {
  const [, traceId, spanId, flags] = traceparent.exec(header ?? "") ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return { root: true }
  return { parent: Tracer.externalSpan({ traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }) }
}

/** A stream lasts for hours; the others are asked for every few seconds by what watches the server. */
const untraced: ReadonlySet<string> = new Set([streamPath, "/healthz", "/readyz", "/metrics"])

const answered = ({ status }: HttpServerResponse.HttpServerResponse): Attributes => ({
  "http.response.status_code": status,
  ...(status >= 500 ? { "error.type": String(status) } : {})
})

export const traceRequest = <E, R>(
  { headers, method }: HttpServerRequest.HttpServerRequest,
  path: string,
  about: Attributes,
  handled: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
) =>
  untraced.has(path)
    ? handled
    : traced(
        method,
        {
          ...parentOf(headers["traceparent"]),
          kind: "server",
          attributes: { ...about, "http.request.method": method }
        },
        (note) => Effect.tap(handled, (response) => Effect.sync(() => note(answered(response))))
      )
