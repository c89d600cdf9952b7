/** Budgets in the table `budgets`. */
import { SqlClient } from "@effect/sql/SqlClient"
import * as SqlSchema from "@effect/sql/SqlSchema"
import { Effect, Layer, Schema } from "effect"
import { BudgetPeriod, Budgets } from "../services/Budgets.ts"
import { UserId } from "../services/Ids.ts"
import type { BudgetStore } from "./budgets/BudgetStore.ts"
import { makeBudgets } from "./budgets/makeBudgets.ts"

const Row = Schema.Struct({
  owner: UserId,
  kind: Schema.Literal("day", "user", "repository"),
  repository: Schema.String,
  period: BudgetPeriod,
  limitUsd: Schema.Number
})

const budgetStore = (sql: SqlClient): BudgetStore => {
  const all = SqlSchema.findAll({
    Request: Schema.Void,
    Result: Row,
    execute: () => sql`
      SELECT owner, kind, repository_url AS repository, period, limit_usd AS limitUsd FROM budgets
      ORDER BY owner, kind, repository_url`
  })
  return {
    all: Effect.map(Effect.orDie(all()), (rows) =>
      rows.map(({ owner, repository, ...budget }) => ({
        owner,
        budget: { ...budget, repository: repository === "" ? null : repository }
      }))
    ),
    replace: (owner, budgets) =>
      Effect.gen(function* () {
        yield* sql`DELETE FROM budgets WHERE owner = ${owner}`
        for (const { kind, limitUsd, period, repository } of budgets) {
          const row = { owner, kind, repository_url: repository ?? "", period, limit_usd: limitUsd }
          yield* sql`INSERT INTO budgets ${sql.insert(row)}`
        }
      }).pipe(Effect.orDie)
  }
}

export const layer = Layer.scoped(
  Budgets,
  Effect.flatMap(SqlClient, (sql) => makeBudgets(budgetStore(sql)))
)
