/** ForgeComments in memory, for tests and the demo: gone with the process. */
import { Data, Effect, HashSet, Layer } from "effect"
import { type ForgeComment, ForgeComments } from "../services/ForgeComments.ts"
import { Transaction } from "../services/Transaction.ts"
import { MemoryState } from "./memory/MemoryState.ts"

export const layer = Layer.effect(
  ForgeComments,
  Effect.gen(function* () {
    const transaction = yield* Transaction
    const state = yield* MemoryState
    const claimed = yield* state.slice(HashSet.empty<ForgeComment>())

    return ForgeComments.of({
      claim: ({ host, id, kind }) =>
        Effect.gen(function* () {
          const comment: ForgeComment = Data.struct({ host, kind, id })
          if (HashSet.has(yield* claimed.get, comment)) return false
          yield* claimed.update(HashSet.add(comment))
          return true
        }).pipe(transaction.run)
    })
  })
)
