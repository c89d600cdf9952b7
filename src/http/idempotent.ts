/**
 * Commands that can be repeated safely.
 *
 * Owns: the `Idempotency-Key` of a request, and answering a repeated request as it was answered first.
 * Does not own: where answers are kept (`Idempotency`).
 */
import { createHash } from "node:crypto"
import { HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Effect, Schema } from "effect"
import { Idempotency, type RecordedAnswer } from "../services/Idempotency.ts"
import { Transaction } from "../services/Transaction.ts"
import { CurrentPrincipal } from "./api/Authentication.ts"
import { Problem } from "./api/Problem.ts"
import { bodyText, decodeBody } from "./requestBody.ts"

const acceptable = /^[\x21-\x7e]{1,255}$/

const keyRefused = Problem.of("invalid_request", "Idempotency-Key must be 1 to 255 printable characters.", {
  errors: [{ path: "Idempotency-Key", message: "must be 1 to 255 printable characters" }]
})

const respond = ({ status, headers, body }: RecordedAnswer, replayed: boolean) =>
  HttpServerResponse.text(body, {
    status,
    contentType: "application/json",
    headers: replayed ? { ...headers, "idempotency-replayed": "true" } : headers
  })

const hash = (text: string) => createHash("sha256").update(text).digest("hex")

interface Answered<B> {
  readonly value: B
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * A POST: reads and decodes the body, then runs the effect and keeps its answer in one transaction. The effect may
 * only touch storage. What else the command does is `afterwards`: it happens whenever the request is answered, also
 * for a repeated one, and also when the client hangs up meanwhile. What has to be asked outside of storage first is
 * `beforehand`: it happens once the request is known to be sound, also for a repeated one.
 */
export const command = <A, I, B, J>(options: {
  readonly body: Schema.Schema<A, I>
  readonly answer: Schema.Schema<B, J>
  readonly status: number
}) => {
  const decode = decodeBody(options.body)
  const encode = Schema.encode(Schema.parseJson(options.answer))
  return <E, R, E1 = never, R1 = never>(
    effect: (body: A) => Effect.Effect<Answered<B>, E, R>,
    afterwards: Effect.Effect<void>,
    beforehand: Effect.Effect<void, E1, R1> = Effect.void
  ) =>
    Effect.gen(function* () {
      const { user } = yield* CurrentPrincipal
      const { method, url, headers } = yield* HttpServerRequest.HttpServerRequest
      const idempotency = yield* Idempotency
      const transaction = yield* Transaction
      const text = yield* bodyText
      const body = yield* decode(text)
      const recorded = effect(body).pipe(
        Effect.flatMap(({ value, headers = {} }) =>
          Effect.map(Effect.orDie(encode(value)), (body) => ({ status: options.status, headers, body }))
        )
      )
      const key = headers["idempotency-key"]
      if (key !== undefined && !acceptable.test(key)) return yield* keyRefused
      yield* beforehand
      const answered =
        key === undefined
          ? Effect.map(transaction.run(recorded), (answer) => ({ answer, replayed: false }))
          : idempotency.once({ owner: user.id, key, fingerprint: hash(`${method} ${url}\n${text}`) }, recorded)
      const { answer, replayed } = yield* Effect.uninterruptible(Effect.zipLeft(answered, afterwards))
      return respond(answer, replayed)
    })
}
