/** What the Messages API answers when it does not answer. */
import type { Refusal } from "../anthropic/failure.ts"
import type { Fault } from "./Script.ts"

/** The API's own types for its status codes. */
const types: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  409: "conflict_error",
  413: "request_too_large",
  429: "rate_limit_error",
  504: "timeout_error",
  529: "overloaded_error"
}

export const errorTypeOf = (status: number): string =>
  types[status] ?? (status >= 500 ? "api_error" : "invalid_request_error")

/** The words of a fault, with everything that the script leaves out filled in. */
export const refusalOf = (fault: Extract<Fault, { readonly fault: "http" | "bad_gateway" }>): Refusal =>
  fault.fault === "bad_gateway"
    ? { status: 502, type: null, code: null, message: null, retryAfterMs: null }
    : {
        status: fault.status,
        type: fault.type ?? errorTypeOf(fault.status),
        code: fault.code ?? null,
        message: fault.message ?? `Scripted: HTTP ${fault.status}.`,
        retryAfterMs: fault.retryAfterSeconds === undefined ? null : Math.ceil(fault.retryAfterSeconds * 1000)
      }
