/**
 * From the budgets that a client sends to those that are stored, and back. Pure.
 */
import { Array, Either } from "effect"
import type { Budget, BudgetStatus } from "../services/Budgets.ts"
import { parse, spellings, type UrlPolicy } from "../services/RepositoryUrl.ts"
import type { BudgetsView } from "./api/MoneyApi.ts"
import { Problem } from "./api/Problem.ts"
import type { NewBudgets } from "./api/requests.ts"

const repositoryBudget =
  (policy: UrlPolicy) =>
  ({ limitUsd, period, url }: NonNullable<NewBudgets["repositories"]>[number], index: number) =>
    Either.mapBoth(parse(url, policy), {
      onLeft: ({ message, reason }) =>
        Problem.of("repository_url_refused", message, {
          errors: [{ path: `repositories.${index}.url`, message: reason }]
        }),
      onRight: (parsed): Budget => ({ kind: "repository", repository: parsed.url, period, limitUsd })
    })

const sameAs = (a: Budget, b: Budget): boolean =>
  a.repository !== null && b.repository !== null && spellings(a.repository).includes(b.repository)

/** Two budgets for one repository would hide that only the lower one counts. */
const distinct = (budgets: ReadonlyArray<Budget>): Either.Either<ReadonlyArray<Budget>, Problem> => {
  const again = budgets.findIndex((budget, index) => budgets.slice(0, index).some((earlier) => sameAs(earlier, budget)))
  if (again === -1) return Either.right(budgets)
  const path = `repositories.${again}.url`
  const message = "names a repository a second time"
  return Either.left(Problem.of("invalid_request", `${path} ${message}.`, { errors: [{ path, message }] }))
}

export const budgetsOf = (
  { day = null, repositories = [], user = null }: NewBudgets,
  policy: UrlPolicy
): Either.Either<ReadonlyArray<Budget>, Problem> =>
  Either.all(repositories.map(repositoryBudget(policy))).pipe(
    Either.flatMap(distinct),
    Either.map((forRepositories) => [
      ...(day === null ? [] : [{ kind: "day" as const, repository: null, period: "day" as const, ...day }]),
      ...(user === null ? [] : [{ kind: "user" as const, repository: null, ...user }]),
      ...forRepositories
    ])
  )

export const viewOf = (budgets: ReadonlyArray<BudgetStatus>): BudgetsView => ({
  day: budgets.find(({ kind }) => kind === "day") ?? null,
  user: budgets.find(({ kind }) => kind === "user") ?? null,
  repositories: Array.filterMap(budgets, ({ repository, ...rest }) =>
    Array.head(repository === null ? [] : [{ url: repository, ...rest }])
  )
})
