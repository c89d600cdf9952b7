/** Where budgets are kept: the one part in which the adapters of Budgets differ. */
import type { Effect } from "effect"
import type { Budget } from "../../services/Budgets.ts"
import type { UserId } from "../../services/Ids.ts"

export interface BudgetStore {
  readonly all: Effect.Effect<ReadonlyArray<{ readonly owner: UserId; readonly budget: Budget }>>
  /** Called in a transaction. */
  readonly replace: (owner: UserId, budgets: ReadonlyArray<Budget>) => Effect.Effect<void>
}
