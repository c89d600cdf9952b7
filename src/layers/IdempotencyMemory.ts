/** Idempotency in memory, for tests and the demo: gone with the process. */
import { Data, Effect, HashMap, Layer, Option, Schedule } from "effect"
import {
  Idempotency,
  IdempotencyConflict,
  type IdempotentRequest,
  type RecordedAnswer
} from "../services/Idempotency.ts"
import type { UserId } from "../services/Ids.ts"
import type { Timestamp } from "../services/Task.ts"
import { Transaction } from "../services/Transaction.ts"
import { MemoryState } from "./memory/MemoryState.ts"
import { cleanUpEvery, keptFor } from "./idempotencyRules.ts"
import { ago, now } from "./timestamp.ts"

interface Place {
  readonly owner: UserId
  readonly key: string
}

interface Entry {
  readonly fingerprint: string
  readonly answer: RecordedAnswer
  readonly createdAt: Timestamp
}

const placeOf = ({ key, owner }: IdempotentRequest): Place => Data.struct({ owner, key })

export const layer = Layer.scoped(
  Idempotency,
  Effect.gen(function* () {
    const transaction = yield* Transaction
    const state = yield* MemoryState
    const entries = yield* state.slice(HashMap.empty<Place, Entry>())

    const removeOld = Effect.flatMap(ago(keptFor), (oldest) =>
      entries.update(HashMap.filter(({ createdAt }) => createdAt >= oldest))
    )
    yield* transaction.run(removeOld).pipe(Effect.schedule(Schedule.spaced(cleanUpEvery)), Effect.forkScoped)

    return Idempotency.of({
      once: (request, effect) =>
        Effect.gen(function* () {
          const place = placeOf(request)
          const known = HashMap.get(yield* entries.get, place)
          if (Option.isSome(known)) {
            const { answer, fingerprint } = known.value
            if (fingerprint !== request.fingerprint) return yield* new IdempotencyConflict({ key: request.key })
            return { answer, replayed: true }
          }
          const answer = yield* effect
          const entry: Entry = { fingerprint: request.fingerprint, answer, createdAt: yield* now }
          yield* entries.update(HashMap.set(place, entry))
          return { answer, replayed: false }
        }).pipe(transaction.run)
    })
  })
)
