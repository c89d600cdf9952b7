/**
 * From a forge's answers to something that a person or a program can act on.
 */
import { Clock, Effect, Predicate } from "effect"
import { ForgeFailed } from "../../services/Forge.ts"
import { visibleLine } from "../../services/visibleText.ts"

/** Without a word from the forge about how long, as GitHub advises. */
const secondaryWaitMs = 60_000
const mostWords = 300

/** One line of what a forge said, in at most so many characters. */
const oneLine = (text: string) => visibleLine(text).slice(0, mostWords)

interface Refusal {
  readonly message?: unknown
  readonly errors?: unknown
}

/** The words of an error as GitHub and Gitea write it: a message, and what is wrong with each field. */
const wordsOf = (data: unknown): string => {
  if (!Predicate.isRecord(data)) return ""
  const { errors, message }: Refusal = data
  const details = Array.isArray(errors)
    ? errors.map((error: unknown) => {
        if (Predicate.isString(error)) return error
        if (!Predicate.isRecord(error)) return ""
        return Predicate.isString(error["message"]) ? error["message"] : [error["field"], error["code"]].join(" ")
      })
    : []
  return oneLine([Predicate.isString(message) ? message : "", ...details].filter((part) => part !== "").join(": "))
}

/** An answer that is no success. */
interface Refused {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly data: unknown
}

/** None where no answer came: octokit then has an error without one. */
const refusedBy = (cause: unknown): Refused | undefined => {
  const response = Predicate.hasProperty(cause, "response") ? cause.response : undefined
  if (!Predicate.isRecord(response) || !Predicate.isNumber(response["status"])) return undefined
  const { data, headers, status } = response
  return { status, headers: Predicate.isRecord(headers) ? headers : {}, data }
}

/** Milliseconds that a limit asks to wait; undefined when the answer speaks of no limit. */
const waitOf = ({ data, headers, status }: Refused, now: number): number | undefined => {
  if (status !== 403 && status !== 429) return undefined
  const number = (name: string) => Number(headers[name] ?? Number.NaN)
  const after = number("retry-after")
  if (after >= 0) return after * 1000
  const reset = number("x-ratelimit-reset")
  if (number("x-ratelimit-remaining") === 0 && reset > 0) return Math.max(1_000, reset * 1000 - now)
  return status === 429 || /rate limit/i.test(wordsOf(data)) ? secondaryWaitMs : undefined
}

const said = (host: string, { data, status }: Refused): string => {
  const words = wordsOf(data)
  return words === "" ? `${host} answered ${status}.` : `${host} answered ${status}: ${words}`
}

export const unavailable = (host: string, what: string) =>
  new ForgeFailed({ reason: "unavailable", retryable: true, waitMs: null, detail: `${host} ${what}.` })

export const signInMissing = (host: string) =>
  new ForgeFailed({
    reason: "auth",
    retryable: false,
    waitMs: null,
    detail: `Errand has no token for ${host} that is good any more. Sign in there, or store one with PUT /git-credentials/${host}.`
  })

export const moved = (host: string) =>
  new ForgeFailed({
    reason: "refused",
    retryable: false,
    waitMs: null,
    detail: `${host} says that the repository has moved. Use the address that it has now.`
  })

/** What a request that came to nothing means. */
export const forgeFailed = (host: string, cause: unknown): Effect.Effect<ForgeFailed> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const refused = refusedBy(cause)
    if (refused === undefined) return unavailable(host, "can't be reached, or broke off")
    const { status } = refused
    const waitMs = waitOf(refused, now)
    const detail = said(host, refused)
    if (waitMs !== undefined) {
      return new ForgeFailed({ reason: "rate_limited", retryable: true, waitMs: Math.round(waitMs), detail })
    }
    if (status === 401) return signInMissing(host)
    if (status >= 500) return unavailable(host, `can't answer at the moment (${status})`)
    return status === 404 || status === 410 || status === 451
      ? new ForgeFailed({
          reason: "not_found",
          retryable: false,
          waitMs: null,
          detail: `${host} has no such repository, or does not show it to this account any more.`
        })
      : new ForgeFailed({ reason: "refused", retryable: false, waitMs: null, detail })
  })
