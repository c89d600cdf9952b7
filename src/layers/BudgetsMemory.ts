/** Budgets in memory, for tests and the demo: gone with the process. */
import { Effect, HashMap, Layer } from "effect"
import { type Budget, Budgets } from "../services/Budgets.ts"
import type { UserId } from "../services/Ids.ts"
import { makeBudgets } from "./budgets/makeBudgets.ts"
import { MemoryState } from "./memory/MemoryState.ts"

export const layer = Layer.scoped(
  Budgets,
  Effect.gen(function* () {
    const state = yield* MemoryState
    const budgets = yield* state.slice(HashMap.empty<UserId, ReadonlyArray<Budget>>())
    return yield* makeBudgets({
      all: Effect.map(budgets.get, (all) =>
        HashMap.toEntries(all).flatMap(([owner, own]) => own.map((budget) => ({ owner, budget })))
      ),
      replace: (owner, own) => budgets.update(HashMap.set(owner, own))
    })
  })
)
