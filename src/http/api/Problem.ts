/**
 * What went wrong, as clients read it: problem details (RFC 9457).
 *
 * Owns: the codes with their statuses and titles, the shape on the wire. No other file knows a status of an error.
 * Does not own: which failure means which code (`http/translate.ts`), writing the answer (`http/problems.ts`).
 */
import { HttpApiSchema } from "@effect/platform"
import { Schema, Struct } from "effect"
import { Answer } from "../../services/TaskEvent.ts"

/** Codes are stable: programs decide by them. */
export const problemKinds = {
  malformed_json: { status: 400, title: "The body is not JSON" },
  malformed_request: { status: 400, title: "The request can't be read" },
  token_in_url: { status: 400, title: "A token does not belong in a URL" },
  invalid_grant: { status: 400, title: "This sign-in can't be finished" },
  authorization_pending: { status: 400, title: "Nobody has confirmed it yet" },
  slow_down: { status: 400, title: "Asked too often" },
  unauthenticated: { status: 401, title: "Not signed in" },
  signature_refused: { status: 401, title: "Not signed by the forge" },
  session_ended: { status: 401, title: "This session is over" },
  sign_in_refused: { status: 403, title: "You may not sign in here" },
  owner_required: { status: 403, title: "Only owners may do that" },
  scope_missing: { status: 403, title: "This token may not do that" },
  origin_refused: { status: 403, title: "Requests from this web page are refused" },
  not_found: { status: 404, title: "Not found" },
  method_not_allowed: { status: 405, title: "Not possible with this method" },
  not_possible_now: { status: 409, title: "Not possible in this state" },
  sign_in_unavailable: { status: 409, title: "There is no such way to sign in" },
  number_mismatch: { status: 409, title: "This is not the number that the device shows" },
  schedule_limit_reached: { status: 409, title: "There are too many schedules" },
  secret_limit_reached: { status: 409, title: "There are too many secrets" },
  question_closed: { status: 409, title: "This question is closed" },
  forge_sign_in_needed: { status: 409, title: "The forge wants a sign-in" },
  pull_request_refused: { status: 409, title: "The forge refuses the pull request" },
  model_not_configured: { status: 409, title: "No model is configured" },
  payload_too_large: { status: 413, title: "The body is too large" },
  unsupported_media_type: { status: 415, title: "The body must be JSON" },
  range_not_satisfiable: { status: 416, title: "There is nothing in this range" },
  host_refused: { status: 421, title: "Not a name of this server" },
  invalid_request: { status: 422, title: "The request is not valid" },
  repository_url_refused: { status: 422, title: "The repository URL is refused" },
  network_mode_unavailable: { status: 422, title: "This network mode is not available" },
  model_price_unknown: { status: 422, title: "The price of the model is not known" },
  delivery_unavailable: { status: 422, title: "This way of delivery is not available" },
  secret_unknown: { status: 422, title: "There is no such secret" },
  secrets_unavailable: { status: 422, title: "This task can't use secrets" },
  idempotency_conflict: { status: 422, title: "The Idempotency-Key belongs to another request" },
  upgrade_required: { status: 426, title: "This is a WebSocket" },
  too_many_requests: { status: 429, title: "Too many requests" },
  queue_full: { status: 429, title: "Too many of your tasks wait" },
  too_many_connections: { status: 429, title: "Too many connections" },
  internal_error: { status: 500, title: "Something broke in the server" },
  unavailable: { status: 503, title: "Not available now" },
  forge_unavailable: { status: 503, title: "The forge can't answer now" },
  storage_full: { status: 507, title: "The server's disk is full" }
} as const satisfies Record<string, { readonly status: number; readonly title: string }>
export type ProblemCode = keyof typeof problemKinds

/** One fault in a request. `path` is dotted (`limits.maxTurns`, `tags.3`); empty means the whole. */
export const FieldError = Schema.Struct({ path: Schema.String, message: Schema.String }).annotations({
  identifier: "FieldError"
})
export interface FieldError extends Schema.Schema.Type<typeof FieldError> {}

const ProblemBody = Schema.Struct({
  type: Schema.String,
  title: Schema.String,
  status: Schema.Int,
  detail: Schema.String,
  code: Schema.String,
  requestId: Schema.String,
  errors: Schema.optionalWith(Schema.Array(FieldError), { exact: true }),
  /** With `question_closed`: the answer that won. */
  answer: Schema.optionalWith(Answer, { exact: true })
}).annotations({
  identifier: "Problem",
  description: `Problem details (RFC 9457). Known codes: ${Object.keys(problemKinds).join(", ")}.`
})

/**
 * A refused or failed request. In the server `requestId` is empty until the answer is written, and `headers` go with
 * the answer; a client reads the whole body and no headers.
 */
export class Problem extends Schema.TaggedError<Problem>()("Problem", {
  ...ProblemBody.fields,
  headers: Schema.Record({ key: Schema.String, value: Schema.String })
}) {
  override get message() {
    return this.detail
  }

  static of(
    code: ProblemCode,
    detail: string,
    more?: {
      readonly errors?: ReadonlyArray<FieldError>
      readonly answer?: Answer
      readonly headers?: Readonly<Record<string, string>>
    }
  ) {
    return new Problem({
      type: `urn:errand:problem:${code}`,
      ...problemKinds[code],
      detail,
      code,
      requestId: "",
      headers: {},
      ...more
    })
  }
}

const ProblemJson = Schema.transform(ProblemBody, Schema.typeSchema(Problem), {
  strict: true,
  decode: (body) => new Problem({ ...body, headers: {} }),
  encode: (problem) => Struct.omit(problem, "_tag", "headers")
}).pipe(HttpApiSchema.withEncoding({ kind: "Json", contentType: "application/problem+json" }))

export const encodeProblem = Schema.encodeSync(ProblemJson)

/** The problems with one of these statuses, as an error of an endpoint. */
export const problems = (...statuses: ReadonlyArray<number>) =>
  Schema.Union(...statuses.map((status) => ProblemJson.annotations(HttpApiSchema.annotations({ status }))))
