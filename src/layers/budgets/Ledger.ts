/**
 * The books: what the budgets of each user have left, and what is set aside of it.
 *
 * Plain and synchronous, so that a step under no budget costs next to nothing, and nothing comes between looking at what
 * is left and taking it. It is in memory: a reservation lives no longer than its run, and a run no longer than the process.
 */
import type { Budget, BudgetRequest, BudgetStatus } from "../../services/Budgets.ts"
import { type StreamName, taskStream } from "../../services/EventBus.ts"
import type { TaskId, UserId } from "../../services/Ids.ts"
import type { Spellings } from "../../services/RepositoryUrl.ts"
import type { Day, Task } from "../../services/Task.ts"
import { periodOf, resetsAt } from "./periods.ts"

/** A budget and what was spent of it in its period. */
export interface Account {
  readonly budget: Budget
  /** Tasks name the repository with any of these; all repositories count when it is null. */
  readonly repositories: Spellings | null
  period: string
  spentUsd: number
}

export type Verdict =
  | { readonly _tag: "Granted"; readonly usd: number }
  /** Others have set aside what this request may need: after an answer of theirs there may be enough. */
  | { readonly _tag: "Busy" }
  | { readonly _tag: "Reached"; readonly limit: Budget["kind"] }
  | { readonly _tag: "Superseded" }

type Reservation = BudgetRequest & { readonly usd: number }

const appliesTo = ({ repositories }: Account, repository: string): boolean => repositories?.includes(repository) ?? true

/** What is not spent; some of it may be set aside. */
const leftOf = ({ budget, spentUsd }: Account): number => round(budget.limitUsd - spentUsd)

/** To a billionth of a dollar, as costs are counted. */
const round = (usd: number): number => Math.round(usd * 1e9) / 1e9

/** Begins a new period when `day` is in a later one. */
const turnOver = (account: Account, day: Day): void => {
  const period = periodOf(account.budget.period, day)
  if (period <= account.period) return
  account.period = period
  account.spentUsd = 0
}

export class Ledger {
  readonly #accounts = new Map<UserId, ReadonlyArray<Account>>()
  readonly #reservations = new Map<StreamName, Reservation>()

  /** Replaces the accounts of an owner; what is set aside stays so. */
  open(owner: UserId, accounts: ReadonlyArray<Account>): void {
    if (accounts.length === 0) this.#accounts.delete(owner)
    else this.#accounts.set(owner, accounts)
  }

  /** The day is only asked for where there is a budget: to write it costs more than all the rest. */
  reserve(request: BudgetRequest, today: () => Day): Verdict {
    const { leastUsd, mostUsd, owner, repository, run } = request
    const stream = taskStream(request.taskId)
    const held = this.#reservations.get(stream)
    if (held !== undefined && held.run > run) return { _tag: "Superseded" }
    this.#reservations.delete(stream)
    const accounts = (this.#accounts.get(owner) ?? []).filter((account) => appliesTo(account, repository))
    const day = accounts.length > 0 ? today() : ""
    let usd = mostUsd
    let tightest: Account | undefined
    for (const account of accounts) {
      turnOver(account, day)
      if (leftOf(account) >= usd) continue
      usd = leftOf(account)
      tightest = account
    }
    if (tightest !== undefined && usd < leastUsd) return { _tag: "Reached", limit: tightest.budget.kind }
    if (accounts.some((account) => leftOf(account) - this.#reservedOf(owner, account) < usd)) return { _tag: "Busy" }
    this.#reservations.set(stream, { ...request, usd })
    return { _tag: "Granted", usd }
  }

  /** The task of that stream has cost `costUsd` in all, since an answer of that day. */
  settle(stream: StreamName, costUsd: number, day: Day): void {
    const held = this.#reservations.get(stream)
    if (held === undefined) return
    this.#reservations.delete(stream)
    for (const account of this.#accounts.get(held.owner) ?? []) {
      if (!appliesTo(account, held.repository)) continue
      turnOver(account, day)
      // An answer from before midnight may be stored after it: it belongs to the period that is over.
      if (periodOf(account.budget.period, day) === account.period) {
        account.spentUsd = round(account.spentUsd + costUsd - held.costUsd)
      }
    }
  }

  release(taskId: TaskId, run: number): void {
    const stream = taskStream(taskId)
    if (this.#reservations.get(stream)?.run === run) this.#reservations.delete(stream)
  }

  /** Whether every budget has what the task was short of. */
  hasRoom({ owner, pausedBudget, repository }: Task, day: Day): boolean {
    return (this.#accounts.get(owner) ?? []).every((account) => {
      if (!appliesTo(account, repository.url)) return true
      turnOver(account, day)
      return leftOf(account) >= (pausedBudget?.neededUsd ?? 0)
    })
  }

  statusOf(owner: UserId, day: Day): ReadonlyArray<BudgetStatus> {
    return (this.#accounts.get(owner) ?? []).map((account) => {
      turnOver(account, day)
      return {
        ...account.budget,
        spentUsd: account.spentUsd,
        reservedUsd: this.#reservedOf(owner, account),
        resetsAt: resetsAt(account.budget.period, day)
      }
    })
  }

  /** There are as many reservations as runs: a handful. */
  #reservedOf(owner: UserId, account: Account): number {
    let sum = 0
    for (const held of this.#reservations.values()) {
      if (held.owner === owner && appliesTo(account, held.repository)) sum += held.usd
    }
    return round(sum)
  }
}
