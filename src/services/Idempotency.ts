/**
 * The same request twice has one effect and one answer.
 *
 * Owns: keeping the answer to a key in the transaction of its effect, for 48 hours at least.
 * Does not own: what a request is (`http/idempotent.ts`).
 */
import { Context, type Effect, Schema } from "effect"
import type { UserId } from "./Ids.ts"
import type { StorageFull } from "./Transaction.ts"

/** The key was used for another request. */
export class IdempotencyConflict extends Schema.TaggedError<IdempotencyConflict>()("IdempotencyConflict", {
  key: Schema.String
}) {
  override get message() {
    return "This Idempotency-Key was used for another request. Use a new key for a new request."
  }
}

/** An answer as it was given: it is given again byte for byte. */
export interface RecordedAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface IdempotentRequest {
  readonly owner: UserId
  readonly key: string
  /** Hash of method, path and body. */
  readonly fingerprint: string
}

export class Idempotency extends Context.Tag("errand/services/Idempotency")<
  Idempotency,
  {
    /** Runs `effect` in a transaction with its record, unless the key has an answer already. Failures are not recorded. */
    readonly once: <E, R>(
      request: IdempotentRequest,
      effect: Effect.Effect<RecordedAnswer, E, R>
    ) => Effect.Effect<
      { readonly answer: RecordedAnswer; readonly replayed: boolean },
      E | IdempotencyConflict | StorageFull,
      R
    >
  }
>() {}
