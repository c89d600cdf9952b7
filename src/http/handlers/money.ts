/**
 * Money: from requests to services and back.
 */
import { HttpApiBuilder } from "@effect/platform"
import { DateTime, Effect } from "effect"
import { AppConfig } from "../../services/AppConfig.ts"
import { Budgets } from "../../services/Budgets.ts"
import { policyOf } from "../../services/RepositoryUrl.ts"
import type { Day } from "../../services/Task.ts"
import { TaskRepo } from "../../services/TaskRepo.ts"
import { CurrentPrincipal } from "../api/Authentication.ts"
import { Problem } from "../api/Problem.ts"
import { NewBudgets } from "../api/requests.ts"
import { Api } from "../Api.ts"
import { budgetsOf, viewOf } from "../budgets.ts"
import { pageRequest } from "../pages.ts"
import { bodyText, decodeBody } from "../requestBody.ts"
import { asProblem } from "../translate.ts"

const decodeBudgets = decodeBody(NewBudgets)

/** Days that are shown when nobody says which. */
const daysByDefault = 30

const firstDay: Day = "1970-01-01"

const write = (moment: DateTime.Utc): Day => {
  const day = DateTime.formatIsoDateUtc(moment)
  return day > firstDay ? day : firstDay
}

const range = Effect.fnUntraced(function* (params: { readonly from?: Day; readonly to?: Day }) {
  const to = params.to ?? write(yield* DateTime.now)
  const from = params.from ?? write(DateTime.subtract(DateTime.unsafeMake(to), { days: daysByDefault - 1 }))
  if (from <= to) return { from, to }
  return yield* Problem.of("invalid_request", "from must not be later than to.", {
    errors: [{ path: "from", message: "must not be later than to" }]
  })
})

export const layer = HttpApiBuilder.group(Api, "money", (handlers) =>
  Effect.gen(function* () {
    const repo = yield* TaskRepo
    const budgets = yield* Budgets
    const policy = policyOf(yield* AppConfig)

    return handlers
      .handle("usage", ({ urlParams: { by, cursor, from, limit, to } }) =>
        Effect.gen(function* () {
          const { user } = yield* CurrentPrincipal
          const days = yield* range({ ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) })
          const filter = { owner: user.id, ...days }
          const lines = yield* repo.spending(filter, by, pageRequest({ limit, cursor }))
          return { ...lines, ...days, by, total: yield* repo.spent(filter) }
        })
      )
      .handle("budgets", () => Effect.flatMap(CurrentPrincipal, ({ user }) => Effect.map(budgets.of(user.id), viewOf)))
      .handleRaw("putBudgets", () =>
        Effect.gen(function* () {
          const { user } = yield* CurrentPrincipal
          const wanted = yield* budgetsOf(yield* Effect.flatMap(bodyText, decodeBudgets), policy)
          return viewOf(yield* Effect.uninterruptible(budgets.set(user.id, wanted)))
        }).pipe(asProblem)
      )
  })
)
