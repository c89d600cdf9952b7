/**
 * Budgets over any store of them.
 *
 * The books are opened from what is stored, in a transaction, and from then on follow the costs that `usage.updated` tells
 * of after each commit: they agree with the database, and no step reads it.
 */
import { Clock, Duration, Effect, Queue } from "effect"
import { type Budget, BudgetReached, type BudgetRequest, Budgets, type BudgetStatus } from "../../services/Budgets.ts"
import { EventBus, type News } from "../../services/EventBus.ts"
import type { UserId } from "../../services/Ids.ts"
import { spellings } from "../../services/RepositoryUrl.ts"
import { type Day, dayOf } from "../../services/Task.ts"
import { budgetFreed, isShortOfBudget, RunSuperseded } from "../../services/TaskCommands.ts"
import { TaskQueue } from "../../services/TaskQueue.ts"
import { TaskRepo } from "../../services/TaskRepo.ts"
import { Transaction } from "../../services/Transaction.ts"
import type { BudgetStore } from "./BudgetStore.ts"
import { type Account, Ledger, type Verdict } from "./Ledger.ts"
import { dayAt, firstDay, periodOf, resetsAt } from "./periods.ts"

/** Looked at again so often at least: clocks are set, and a full disk refuses what would have gone on. */
const longestPause = Duration.minutes(5)

const today = Effect.map(Clock.currentTimeMillis, dayAt)

const untilTomorrow = Effect.map(Clock.currentTimeMillis, (now) =>
  Duration.min(longestPause, Duration.millis(Date.parse(resetsAt("day", dayAt(now)) ?? "") - now))
)

const answerTo = (verdict: Exclude<Verdict, { readonly _tag: "Busy" }>, { run }: BudgetRequest) => {
  switch (verdict._tag) {
    case "Granted":
      return Effect.succeed(verdict.usd)
    case "Reached":
      return new BudgetReached({ limit: verdict.limit })
    case "Superseded":
      return new RunSuperseded({ run })
  }
}

export const makeBudgets = Effect.fnUntraced(function* (store: BudgetStore) {
  const repo = yield* TaskRepo
  const bus = yield* EventBus
  const queue = yield* TaskQueue
  const transaction = yield* Transaction
  const ledger = new Ledger()
  const waiting = new Set<() => void>()
  const look = yield* Queue.sliding<void>(1)

  /** Those who wait longest come first. */
  const serveWaiting = () => {
    for (const tryAgain of waiting) tryAgain()
  }

  yield* bus.listen((news: News) => {
    if (news._tag !== "Events") return
    for (const { at, event, stream } of news.events) {
      // The budget may have been raised after the task was refused, and before its pause was stored.
      if (event.type === "task.paused" && event.reason === "budget_reached") Queue.unsafeOffer(look, undefined)
      if (event.type !== "usage.updated") continue
      ledger.settle(stream, event.costUsd, dayOf(at))
      serveWaiting()
    }
  })

  const account = Effect.fnUntraced(function* (owner: UserId, budget: Budget, day: Day) {
    const repositories = budget.repository === null ? null : spellings(budget.repository)
    const { costUsd } = yield* repo.spent({
      owner,
      from: firstDay(budget.period, day),
      ...(repositories === null ? {} : { repositories })
    })
    const opened: Account = { budget, repositories, period: periodOf(budget.period, day), spentUsd: costUsd }
    return opened
  })

  const accounts = Effect.fnUntraced(function* (owner: UserId, budgets: ReadonlyArray<Budget>) {
    const day = yield* today
    return yield* Effect.forEach(budgets, (budget) => account(owner, budget, day))
  })

  const stored = yield* store.all
  for (const owner of new Set(stored.map((entry) => entry.owner))) {
    const own = stored.filter((entry) => entry.owner === owner)
    ledger.open(
      owner,
      yield* accounts(
        owner,
        own.map(({ budget }) => budget)
      )
    )
  }

  /** Waits without holding anything, so that tasks can't wait for each other in a circle. */
  const reserve = (request: BudgetRequest) =>
    Effect.clockWith((clock) => {
      const attempt = () => ledger.reserve(request, () => dayAt(clock.unsafeCurrentTimeMillis()))
      const first = attempt()
      if (first._tag !== "Busy") return answerTo(first, request)
      return Effect.async<number, BudgetReached | RunSuperseded>((resume) => {
        const tryAgain = () => {
          const verdict = attempt()
          if (verdict._tag === "Busy") return
          waiting.delete(tryAgain)
          resume(answerTo(verdict, request))
        }
        waiting.add(tryAgain)
        tryAgain()
        return Effect.sync(() => waiting.delete(tryAgain))
      })
    })

  const statusOf = (owner: UserId): Effect.Effect<ReadonlyArray<BudgetStatus>> =>
    Effect.map(today, (day) => ledger.statusOf(owner, day))

  const set = Effect.fn("Budgets.set")(function* (owner: UserId, budgets: ReadonlyArray<Budget>) {
    yield* store.replace(owner, budgets)
    const opened = yield* accounts(owner, budgets)
    yield* transaction.afterCommit(
      Effect.zipRight(
        Effect.sync(() => {
          ledger.open(owner, opened)
          serveWaiting()
        }),
        Queue.offer(look, undefined)
      )
    )
  }, transaction.run)

  const resumePaused = Effect.gen(function* () {
    const day = yield* today
    const short = (yield* repo.withStatus(["paused"])).filter(isShortOfBudget)
    const ready = short.filter((task) => ledger.hasRoom(task, day))
    if (ready.length === 0) return
    // A task that was ended or deleted in between needs no money, and one that can't be written now has its next turn.
    yield* Effect.forEach(ready, ({ id }) => Effect.ignore(repo.change(id, budgetFreed)), { discard: true })
    yield* queue.wake
  }).pipe(
    Effect.catchAllCause((cause) => Effect.logWarning("Tasks that a budget had paused could not be resumed.", cause))
  )

  yield* resumePaused.pipe(
    Effect.zipRight(Effect.flatMap(untilTomorrow, (pause) => Effect.timeoutOption(Queue.take(look), pause))),
    Effect.zipRight(Effect.sync(serveWaiting)),
    Effect.forever,
    Effect.forkScoped
  )

  return Budgets.of({
    reserve,
    release: (taskId, run) =>
      Effect.sync(() => {
        ledger.release(taskId, run)
        serveWaiting()
      }),
    of: statusOf,
    set: (owner, budgets) => Effect.zipRight(set(owner, budgets), statusOf(owner))
  })
})
