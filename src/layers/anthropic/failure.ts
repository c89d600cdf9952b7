/** From what the API or the SDK says to the errors of `ClaudeClient`. Nothing here repeats a header, a key or a prompt. */
import { APIConnectionError, APIConnectionTimeoutError, APIError } from "@anthropic-ai/sdk"
import {
  ClaudeRateLimited,
  ClaudeRejected,
  ClaudeStreamBroken,
  ClaudeUnavailable,
  type PartialResponse
} from "../../services/ClaudeClient.ts"

/** An answer of the API that is not a success. */
export interface Refusal {
  readonly status: number
  readonly type: string | null
  /** The API's own name for the case, finer than `type`. */
  readonly code: string | null
  readonly message: string | null
  readonly retryAfterMs: number | null
}

export type RequestFailure = ClaudeRateLimited | ClaudeUnavailable | ClaudeRejected

/** 429s of the account itself, which no waiting inside a task cures. */
const spendLimits: ReadonlyArray<string> = ["contract_spend_limit_reached", "enforced_spend_limit_reached"]

const longestDetail = 2_000

export const fromRefusal = (refusal: Refusal): RequestFailure => {
  const { retryAfterMs, status } = refusal
  const detail =
    refusal.message === null || refusal.message === ""
      ? `The model's API answered with HTTP ${status} and no reason.`
      : refusal.message.slice(0, longestDetail)
  if (status === 429) {
    return new ClaudeRateLimited({ retryAfterMs, spendLimit: spendLimits.includes(refusal.code ?? ""), detail })
  }
  if (status === 408 || status === 409 || status >= 500) return new ClaudeUnavailable({ status, retryAfterMs, detail })
  return new ClaudeRejected({ status, type: refusal.type ?? "unknown_error", detail })
}

/** `now`: milliseconds since 1970, for a `retry-after` that is a date. */
export const fromThrown = (thrown: unknown, now: number): RequestFailure => {
  if (thrown instanceof APIConnectionTimeoutError) return noAnswer("no answer came in time")
  if (thrown instanceof APIConnectionError) return noAnswer(networkCode(thrown))
  if (thrown instanceof APIError && typeof thrown.status === "number") {
    return fromRefusal({
      status: thrown.status,
      type: thrown.type,
      code: thrown.errorCode,
      message: thrown.apiMessage,
      retryAfterMs: thrown.headers === undefined ? null : retryAfter(thrown.headers, now)
    })
  }
  // Its message may quote the header that holds the key.
  return noAnswer(thrown instanceof Error ? thrown.name : "unknown failure")
}

export const noAnswer = (reason: string): ClaudeUnavailable =>
  new ClaudeUnavailable({ status: null, retryAfterMs: null, detail: `The model's API can't be reached: ${reason}.` })

export const brokenOff = (
  reason: ClaudeStreamBroken["reason"],
  partial: PartialResponse | null,
  why: string
): ClaudeStreamBroken =>
  new ClaudeStreamBroken({ reason, partial, detail: `The model's answer broke off: ${why.slice(0, longestDetail)}` })

/** `ECONNREFUSED` and the like lie up to three causes deep. */
const networkCode = (error: Error): string => {
  let cause: unknown = error
  for (let depth = 0; depth < 5 && cause instanceof Error; depth++) {
    if ("code" in cause && typeof cause.code === "string") return cause.code
    cause = cause.cause
  }
  return "the connection failed"
}

/** A day: longer waits are asked about again. */
const longestWaitMs = 24 * 60 * 60 * 1000

/** Milliseconds to wait, from seconds or an HTTP date; null when the API names none that makes sense. */
export const retryAfter = (headers: Headers, now: number): number | null => {
  const value = headers.get("retry-after")?.trim() ?? ""
  if (value === "") return null
  const seconds = Number(value)
  const wait = Number.isNaN(seconds) ? Date.parse(value) - now : seconds * 1000
  return Number.isNaN(wait) ? null : Math.min(Math.max(Math.ceil(wait), 0), longestWaitMs)
}
