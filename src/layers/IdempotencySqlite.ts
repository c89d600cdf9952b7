/** Idempotency in the table `idempotency_keys`. */
import { SqlClient } from "@effect/sql/SqlClient"
import * as SqlSchema from "@effect/sql/SqlSchema"
import { Effect, Layer, Option, Schedule, Schema } from "effect"
import {
  Idempotency,
  IdempotencyConflict,
  type IdempotentRequest,
  type RecordedAnswer
} from "../services/Idempotency.ts"
import { UserId } from "../services/Ids.ts"
import { Transaction } from "../services/Transaction.ts"
import { cleanUpEvery, keptFor } from "./idempotencyRules.ts"
import { ago, now } from "./timestamp.ts"

const Headers = Schema.parseJson(Schema.Record({ key: Schema.String, value: Schema.String }))

const Row = Schema.Struct({
  fingerprint: Schema.String,
  status: Schema.Int,
  headers: Headers,
  body: Schema.String
})

/** Rows that one transaction removes: every other writer waits for it. */
const mostAtOnce = 500

export const layer = Layer.scoped(
  Idempotency,
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const transaction = yield* Transaction

    const find = SqlSchema.findOne({
      Request: Schema.Struct({ owner: UserId, key: Schema.String }),
      Result: Row,
      execute: ({ key, owner }) => sql`
        SELECT fingerprint, status, headers, body FROM idempotency_keys WHERE user_id = ${owner} AND key = ${key}`
    })

    const record = Effect.fnUntraced(function* (request: IdempotentRequest, answer: RecordedAnswer) {
      yield* sql`INSERT INTO idempotency_keys ${sql.insert({
        user_id: request.owner,
        key: request.key,
        fingerprint: request.fingerprint,
        created_at: yield* now,
        status: answer.status,
        headers: yield* Schema.encode(Headers)(answer.headers),
        body: answer.body
      })}`
    }, Effect.orDie)

    const removeSome = Effect.flatMap(ago(keptFor), (oldest) =>
      transaction.run(
        Effect.orDie(sql`
          DELETE FROM idempotency_keys WHERE rowid IN (
            SELECT rowid FROM idempotency_keys WHERE created_at < ${oldest} ORDER BY created_at LIMIT ${mostAtOnce}
          ) RETURNING rowid`)
      )
    )
    const removeOld = Effect.repeat(removeSome, { while: (removed) => removed.length === mostAtOnce })

    yield* removeOld.pipe(
      Effect.catchAllCause((cause) => Effect.logWarning("Old idempotency keys could not be removed.", cause)),
      Effect.repeat(Schedule.spaced(cleanUpEvery)),
      Effect.forkScoped
    )

    return Idempotency.of({
      once: (request, effect) =>
        Effect.gen(function* () {
          const known = yield* Effect.orDie(find(request))
          if (Option.isSome(known)) {
            const { fingerprint, ...answer } = known.value
            if (fingerprint !== request.fingerprint) return yield* new IdempotencyConflict({ key: request.key })
            return { answer, replayed: true }
          }
          const answer = yield* effect
          yield* record(request, answer)
          return { answer, replayed: false }
        }).pipe(transaction.run, Effect.withSpan("Idempotency.once"))
    })
  })
)
