/** Money spent, of what TaskRepoMemory keeps. */
import { Array, HashMap, Order } from "effect"
import { addUsage, type Spend } from "../../../services/Task.ts"
import type { Page, PageRequest, SpendFilter, SpendKey, SpendLine } from "../../../services/TaskRepo.ts"
import { toPage } from "../pages.ts"
import { noSpend, placeBefore, placeOf, type SpendPlace, writePlace } from "../spend.ts"
import type { Cost, TaskState } from "./taskState.ts"

const costsOf = (state: TaskState, { from, owner, repositories, to }: SpendFilter): ReadonlyArray<Cost> =>
  HashMap.toValues(state.costs).filter(
    (cost) =>
      cost.owner === owner &&
      cost.day >= from &&
      (to === undefined || cost.day <= to) &&
      (repositories?.includes(cost.repository) ?? true)
  )

const sum = (costs: ReadonlyArray<Cost>): Spend =>
  costs.reduce((spend, { usage }) => ({ ...addUsage(spend, usage), responses: spend.responses + 1 }), noSpend)

export const spentOf = (state: TaskState, filter: SpendFilter): Spend => sum(costsOf(state, filter))

const byPlace: Order.Order<SpendPlace> = Order.combine(
  Order.mapInput(Order.number, ({ cost }) => cost),
  Order.mapInput(Order.string, ({ key }) => key)
)

export const spendingOf = (state: TaskState, filter: SpendFilter, by: SpendKey, page: PageRequest): Page<SpendLine> => {
  const before = placeBefore(page)
  const lines = Object.entries(Array.groupBy(costsOf(state, filter), (cost) => cost[by])).map(
    ([key, costs]): SpendLine => ({ key, ...sum(costs) })
  )
  const rest = lines.filter((line) => byPlace(placeOf(by, line), before) < 0)
  return toPage(
    Array.sort(rest, Order.reverse(Order.mapInput(byPlace, (line: SpendLine) => placeOf(by, line)))),
    page,
    (line) => writePlace(placeOf(by, line)),
    (line) => line
  )
}
