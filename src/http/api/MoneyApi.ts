/**
 * Money: what was spent, and the budgets that tasks share.
 */
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { BudgetPeriod } from "../../services/Budgets.ts"
import { Day, Spend, Timestamp, Usd } from "../../services/Task.ts"
import { SpendKey, SpendLine } from "../../services/TaskRepo.ts"
import { Authentication } from "./Authentication.ts"
import { page, paging, place, query, whole } from "./Page.ts"
import { problems } from "./Problem.ts"
import { NewBudgets } from "./requests.ts"

const day = Schema.optionalWith(Day.annotations({ message: whole("must be a day as 2026-01-31") }), { exact: true })

const usageQuery = query({
  ...paging(place.cost),
  from: day,
  to: day,
  by: Schema.optionalWith(
    SpendKey.annotations({
      message: whole(`must be one of ${SpendKey.literals.join(", ")}`),
      jsonSchema: { type: "string", enum: [...SpendKey.literals], default: "day" }
    }),
    {
      exact: true,
      default: () => "day" as const
    }
  )
})

/** `total` is that of all pages, and the range includes both of its days. */
const UsagePage = Schema.Struct({
  ...page(SpendLine).fields,
  from: Day,
  to: Day,
  by: SpendKey,
  total: Spend
}).annotations({ identifier: "UsagePage" })

const state = {
  limitUsd: Usd,
  period: BudgetPeriod,
  spentUsd: Usd,
  /** The worst case of the requests that have no answer yet. */
  reservedUsd: Usd,
  /** When the next period begins; null when there is none. */
  resetsAt: Schema.NullOr(Timestamp)
}

const BudgetState = Schema.Struct(state).annotations({ identifier: "BudgetState" })
const RepositoryBudgetState = Schema.Struct({ url: Schema.String, ...state }).annotations({
  identifier: "RepositoryBudgetState"
})

export const BudgetsView = Schema.Struct({
  day: Schema.NullOr(BudgetState),
  user: Schema.NullOr(BudgetState),
  repositories: Schema.Array(RepositoryBudgetState)
}).annotations({ identifier: "Budgets" })
export interface BudgetsView extends Schema.Schema.Type<typeof BudgetsView> {}

const usage = HttpApiEndpoint.get("usage", "/usage")
  .setUrlParams(usageQuery)
  .addSuccess(UsagePage)
  .addError(problems(422))
  .annotate(OpenApi.Identifier, "getUsage")
  .annotate(
    OpenApi.Summary,
    "What the account has spent, by day, repository, model or task. Days are those of UTC; the last 30 by default."
  )

const budgets = HttpApiEndpoint.get("budgets", "/budgets")
  .addSuccess(BudgetsView)
  .annotate(OpenApi.Identifier, "getBudgets")
  .annotate(OpenApi.Summary, "The budgets of the account, and what is spent and set aside of each.")

const putBudgets = HttpApiEndpoint.put("putBudgets", "/budgets")
  .setPayload(NewBudgets)
  .addSuccess(BudgetsView)
  .addError(problems(413, 415, 422, 507))
  .annotate(OpenApi.Identifier, "putBudgets")
  .annotate(
    OpenApi.Summary,
    "Replaces all budgets of the account: what is left out has none. Tasks that a budget had paused go on where there is room."
  )

export class MoneyApi extends HttpApiGroup.make("money")
  .add(usage)
  .add(budgets)
  .add(putBudgets)
  .middleware(Authentication)
  .prefix("/api/v1") {}
