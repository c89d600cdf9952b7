/**
 * Money for the next request: its worst case is set aside before it is sent, inside every limit.
 */
import { Effect, Option } from "effect"
import { Budgets } from "../services/Budgets.ts"
import type { TurnRequest } from "../services/ClaudeClient.ts"
import { priceOf, Pricing } from "../services/Pricing.ts"
import type { MoneyLimit, Task } from "../services/Task.ts"
import * as Limits from "./limits.ts"
import { TaskPaused } from "./outcome.ts"
import type { TaskRun } from "./TaskRun.ts"

const reached = ({ limits }: Task, limit: MoneyLimit, neededUsd: number) =>
  new TaskPaused({ reason: "budget_reached", budget: { limit, neededUsd }, limits })

/** The request with an answer as long as the tightest limit pays for; fails with that limit when it pays for too little. */
export const afford = Effect.fnUntraced(function* (run: TaskRun, request: TurnRequest, size: Limits.RequestSize) {
  const budgets = yield* Budgets
  const task = yield* run.task
  const known = priceOf((yield* Pricing).table, task.model)
  if (Option.isNone(known)) return yield* new TaskPaused({ reason: "model_price_unknown" })
  const price = known.value
  const input = Limits.inputBound(size)
  const leastUsd = Limits.worstCost(price, input, Limits.minOutputTokens)
  const wanted = Limits.affordableTokens(price, task.limits.maxCostUsd - task.usage.costUsd, input)
  if (Option.isNone(wanted)) return yield* reached(task, "task", leastUsd)
  const mostUsd = Limits.worstCost(price, input, wanted.value)
  const usd = yield* budgets
    .reserve({
      owner: task.owner,
      repository: task.repository.url,
      taskId: task.id,
      run: run.number,
      costUsd: task.usage.costUsd,
      leastUsd,
      mostUsd
    })
    .pipe(Effect.catchTag("BudgetReached", ({ limit }) => reached(task, limit, leastUsd)))
  if (usd >= mostUsd) return { ...request, maxTokens: wanted.value }
  return {
    ...request,
    maxTokens: Option.getOrElse(Limits.affordableTokens(price, usd, input), () => Limits.minOutputTokens)
  }
})
