/**
 * What happens to every request before and after its handler.
 *
 * Owns: request ids, the guard of host names, the limit of an address, turning every failure into a problem, headers of every answer, metrics.
 * Does not own: the codes (`translate.ts`, `api/Problem.ts`).
 */
import { HttpApiBuilder, HttpApiError, HttpServerError, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Cause, Clock, Effect, HashSet, Metric, Option, Schema } from "effect"
import { AppConfig } from "../services/AppConfig.ts"
import { Ids } from "../services/Ids.ts"
import { allowedMethods } from "./allowedMethods.ts"
import { pathParameters } from "./api/params.ts"
import { encodeProblem, Problem } from "./api/Problem.ts"
import { sentence } from "./faults.ts"
import * as HostGuard from "./hostGuard.ts"
import { Limits } from "./limits.ts"
import * as Metrics from "./metrics.ts"
import { chosenRequestId } from "./requestId.ts"
import { streamPath } from "./stream/streamPath.ts"
import { traceRequest } from "./traceRequest.ts"
import { notFound } from "./translate.ts"

const internalError = Problem.of(
  "internal_error",
  "This is not your fault. The server's log tells more under this request id."
)

const hostRefused = Problem.of("host_refused", "Use the public URL of this server, or its address.")

/** A path whose ids don't decode names nothing; anything else is a fault in the query. */
const ofDecodeError = ({ issues }: HttpApiError.HttpApiDecodeError): Problem => {
  if (issues.some(({ path }) => path[0] !== undefined && pathParameters.has(path[0]))) return notFound
  const errors = issues.slice(0, 20).map(({ _tag, path, message }) => ({
    path: path.map(String).join("."),
    message: _tag === "Unexpected" ? "is not known here" : message.slice(0, 200)
  }))
  return Problem.of("invalid_request", sentence(errors), { errors })
}

const ofRouteNotFound = ({ request }: HttpServerError.RouteNotFound): Problem => {
  const allowed = allowedMethods(request.url)
  // A path that has the method and no route can't be decoded.
  return allowed.length === 0 || allowed.includes(request.method)
    ? notFound
    : Problem.of("method_not_allowed", `Here you can use ${allowed.join(", ")}.`, {
        headers: { allow: allowed.join(", ") }
      })
}

const isProblem = Schema.is(Problem)

const isDecodeError = Schema.is(HttpApiError.HttpApiDecodeError)

const ofCause = (cause: Cause.Cause<unknown>): Problem => {
  const failure = Option.getOrUndefined(Cause.failureOption(cause))
  if (isProblem(failure)) return failure
  if (isDecodeError(failure)) return ofDecodeError(failure)
  if (failure instanceof HttpServerError.RouteNotFound) return ofRouteNotFound(failure)
  return internalError
}

const answer = (problem: Problem, requestId: string): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.unsafeJson(encodeProblem(new Problem({ ...problem, requestId })), {
    status: problem.status,
    contentType: "application/problem+json",
    headers: problem.headers
  })

/** Answers hold what only their reader may see, and are never documents of a web page. */
const headers = { "cache-control": "no-store", "x-content-type-options": "nosniff" }

const clientGone = HttpServerResponse.empty({ status: 499 })

/** Without a body: on a connection that became a WebSocket nobody would ever take it. */
const interrupted = HttpServerResponse.empty({ status: 503 })

const recover = (
  cause: Cause.Cause<unknown>,
  requestId: string
): Effect.Effect<HttpServerResponse.HttpServerResponse> => {
  if (HashSet.has(Cause.interruptors(cause), HttpServerError.clientAbortFiberId)) return Effect.succeed(clientGone)
  if (Cause.isInterruptedOnly(cause)) return Effect.succeed(interrupted)
  const problem = ofCause(cause)
  const answered = Effect.succeed(answer(problem, requestId))
  return problem === internalError ? Effect.zipRight(Effect.logError("A request failed.", cause), answered) : answered
}

const measure = (method: string, status: string, seconds: number) =>
  Effect.zipRight(
    Metric.increment(Metric.tagged(Metric.tagged(Metrics.requests, "method", method), "status", status)),
    Metric.update(Metrics.requestSeconds, seconds)
  )

/** Whatever is logged about such a request concerns that task. */
const taskPath = /^\/api\/v1\/tasks\/(task_[0-9A-HJKMNP-TV-Z]{26})(?:\/|$)/

const spanAttributes = (requestId: string, taskId: string | undefined) => ({
  "errand.request.id": requestId,
  ...(taskId === undefined ? {} : { "errand.task.id": taskId })
})

export const layer = HttpApiBuilder.middleware(
  Effect.gen(function* () {
    const ids = yield* Ids
    const guard = HostGuard.make(yield* AppConfig)
    const limits = yield* Limits
    return (app) =>
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const requestId = chosenRequestId(request.headers["x-request-id"]) ?? (yield* ids.plain)
        const start = yield* Clock.currentTimeMillis
        // Without the query, which may hold what does not belong in logs.
        const [path = ""] = request.url.split("?", 1)
        const taskId = taskPath.exec(path)?.[1]
        const task = taskId === undefined ? {} : { taskId }
        const handled = guard.allowsHost(request.headers["host"])
          ? Effect.catchAllCause(Effect.zipRight(limits.address, app), (cause) => recover(cause, requestId))
          : Effect.succeed(answer(hostRefused, requestId))
        return yield* Effect.gen(function* () {
          const response = yield* traceRequest(request, path, spanAttributes(requestId, taskId), handled)
          const seconds = ((yield* Clock.currentTimeMillis) - start) / 1000
          const { method } = request
          const { status } = response
          // Sockets have metrics of their own; here they would look like answers that took hours.
          if (path !== streamPath) yield* measure(method, String(status), seconds)
          yield* Effect.annotateLogs(Effect.logDebug("Answered."), { method, path, status, seconds })
          return HttpServerResponse.setHeaders(response, { ...headers, ...response.headers, "x-request-id": requestId })
        }).pipe(Effect.annotateLogs({ requestId, ...task }))
      })
  })
)
