/**
 * A failure in words for the person at the terminal: what is wrong, and what to do.
 *
 * Owns: the sentences for failures of the connection to a server; all others speak for themselves.
 */
import { ValidationError } from "@effect/cli"
import { HttpClientError } from "@effect/platform"
import { Cause, Option, ParseResult, Predicate, Schema } from "effect"
import { Problem } from "../http/api/Problem.ts"
import { safeLine, safeLines } from "./render/safeText.ts"

const originOf = (url: string): string => (URL.canParse(url) ? new URL(url).origin : url)

const tokenRemedy =
  "Sign in with `errand login`, or make one on the server with `errand token create --login NAME` and put it into ERRAND_TOKEN."

const explainProblem = ({ code, detail, errors = [], requestId }: Problem): ReadonlyArray<string> => {
  if (code === "unauthenticated")
    return [`The server refuses the token: it is unknown, revoked or none at all.`, tokenRemedy]
  const more = errors.filter(({ message }) => !detail.includes(message))
  return [
    ...safeLines(detail),
    ...more.map(({ message, path }) => `  ${safeLine(path === "" ? message : `${path}: ${message}`)}`),
    ...(code === "internal_error" ? [`The server's log tells more: look for request ${safeLine(requestId)}.`] : [])
  ]
}

/** Lines without control characters; none when everything has been said already. */
export const explain = (error: unknown): ReadonlyArray<string> => {
  if (ValidationError.isValidationError(error)) return []
  if (Schema.is(Problem)(error)) return explainProblem(error)
  if (HttpClientError.isHttpClientError(error)) {
    const server = originOf(error.request.url)
    return error._tag === "RequestError"
      ? [
          `No Errand server answers at ${server}.`,
          "Start one with `errand serve`, or name another with --server or ERRAND_URL."
        ]
      : [
          `${server} answered with status ${error.response.status}, which an Errand server of this version does not do.`,
          "Check --server and what stands between here and there."
        ]
  }
  if (ParseResult.isParseError(error)) {
    return ["The server's answer can't be understood. Are this program and the server of the same version?"]
  }
  const message = Predicate.hasProperty(error, "message") ? String(error.message) : String(error)
  return message === "" ? [] : safeLines(message)
}

/** What is told about the end of a command; none when it said everything itself. */
export const explainCause = (cause: Cause.Cause<unknown>): ReadonlyArray<string> =>
  Option.match(Cause.failureOption(cause), {
    onSome: explain,
    onNone: () =>
      Cause.isInterruptedOnly(cause)
        ? []
        : ["This is a bug in Errand. Please report it with these lines:", ...safeLines(Cause.pretty(cause))]
  })
