/**
 * Limits of money that tasks share: of a day, of a user, of a repository.
 *
 * Owns: which budgets a user has set, setting money aside for a request before it is sent, and queueing again what a
 * budget had paused once there is room.
 * Does not own: the limit of one task (`agent/afford.ts`), what was spent (`TaskRepo.ts`), prices (`Pricing.ts`).
 */
import { Context, type Effect, Schema } from "effect"
import type { TaskId, UserId } from "./Ids.ts"
import { MoneyLimit, type Timestamp } from "./Task.ts"
import type { RunSuperseded } from "./TaskCommands.ts"
import type { StorageFull } from "./Transaction.ts"

/** Days and months are those of UTC; `total` never starts again. */
export const BudgetPeriod = Schema.Literal("day", "month", "total").annotations({ identifier: "BudgetPeriod" })
export type BudgetPeriod = typeof BudgetPeriod.Type

/** What all tasks of a user, or those on one repository, may spend in a period. */
export interface Budget {
  readonly kind: Exclude<MoneyLimit, "task">
  /** The URL as tasks name it, with or without `.git`; null unless the budget is for a repository. */
  readonly repository: string | null
  readonly period: BudgetPeriod
  readonly limitUsd: number
}

/** A budget as it stands: `spentUsd` in this period, and set aside for requests that have no answer yet. */
export interface BudgetStatus extends Budget {
  readonly spentUsd: number
  readonly reservedUsd: number
  /** When the next period begins; null when there is none. */
  readonly resetsAt: Timestamp | null
}

/** The money for one request of one run. */
export interface BudgetRequest {
  readonly owner: UserId
  readonly repository: string
  readonly taskId: TaskId
  readonly run: number
  /** What the task has cost so far: the difference to this is what the answer costs. */
  readonly costUsd: number
  /** The worst case with the shortest answer that is worth its request, and with the longest. */
  readonly leastUsd: number
  readonly mostUsd: number
}

/** A budget does not pay for even the shortest useful answer. */
export class BudgetReached extends Schema.TaggedError<BudgetReached>()("BudgetReached", { limit: MoneyLimit }) {
  override get message() {
    return `The budget of the ${this.limit} is used up.`
  }
}

export class Budgets extends Context.Tag("errand/services/Budgets")<
  Budgets,
  {
    /**
     * Sets money aside and gives how much: `mostUsd`, or what is left when that is less. All that is spent and set aside
     * never exceeds a budget. While only the requests of other tasks stand in the way, it waits for their answers.
     *
     * The money stays set aside until the answer's cost is stored, the same run reserves again, or it is released. It
     * belongs to the run: an earlier run of the task gets nothing, and no reservation outlives its run.
     */
    readonly reserve: (request: BudgetRequest) => Effect.Effect<number, BudgetReached | RunSuperseded>
    /** Gives back what a run has set aside, if anything. */
    readonly release: (taskId: TaskId, run: number) => Effect.Effect<void>
    /** All budgets of a user. */
    readonly of: (owner: UserId) => Effect.Effect<ReadonlyArray<BudgetStatus>>
    /**
     * Replaces all budgets of a user. Requests that are under way count.
     * Tasks that a budget had paused are queued again soon after, as far as all their budgets have room.
     */
    readonly set: (
      owner: UserId,
      budgets: ReadonlyArray<Budget>
    ) => Effect.Effect<ReadonlyArray<BudgetStatus>, StorageFull>
  }
>() {}
