import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, type Scope, TestClock } from "effect"
import { type Budget, type BudgetRequest, Budgets } from "../../src/services/Budgets.ts"
import type { UserId } from "../../src/services/Ids.ts"
import type { Task } from "../../src/services/Task.ts"
import { TaskChange } from "../../src/services/TaskChange.ts"
import { type TaskNotFound, TaskRepo } from "../../src/services/TaskRepo.ts"
import { Transaction } from "../../src/services/Transaction.ts"
import { count, draftOf, start, these } from "./someTasks.ts"
import { People, type TaskServices } from "./storageLayers.ts"

const noon = Date.parse("2026-03-31T12:00:00.000Z")

const perDay = (limitUsd: number): Budget => ({ kind: "day", repository: null, period: "day", limitUsd })
const perMonth = (limitUsd: number): Budget => ({ kind: "user", repository: null, period: "month", limitUsd })
const forRepository = (repository: string, limitUsd: number): Budget => ({
  kind: "repository",
  repository,
  period: "total",
  limitUsd
})

const url = "https://git.example.com/some/repository"

/** The worst case of a step is a dollar, and a short answer costs at least ten cents. */
const request = (task: Task, part: Partial<BudgetRequest> = {}): BudgetRequest => ({
  owner: task.owner,
  repository: task.repository.url,
  taskId: task.id,
  run: task.runNumber,
  costUsd: task.usage.costUsd,
  leastUsd: 0.1,
  mostUsd: 1,
  ...part
})

const reserve = (task: Task, part: Partial<BudgetRequest> = {}) =>
  Effect.flatMap(Budgets, (budgets) => budgets.reserve(request(task, part)))

const set = (owner: UserId, ...budgets: ReadonlyArray<Budget>) =>
  Effect.flatMap(Budgets, (service) => service.set(owner, budgets))

const running = Effect.fnUntraced(function* (owner: UserId, repository = url) {
  const repo = yield* TaskRepo
  const { task } = yield* repo.create(draftOf(owner, { repository: { url: repository, ref: null } }))
  return (yield* repo.change(task.id, these(start()))).task
})

const newcomer = Effect.flatMap(People, (people) => people.newcomer)

let answers = 0

/** An answer of the model arrives and is stored. */
const answer = (task: Task, costUsd: number) =>
  Effect.flatMap(TaskRepo, (repo) =>
    Effect.map(repo.change(task.id, these(count(`answer ${++answers}`, costUsd))), ({ task }) => task)
  )

const pause = (task: Task, limit: "task" | "day" | "repository", neededUsd: number) =>
  Effect.flatMap(TaskRepo, (repo) =>
    repo.change(task.id, these(TaskChange.Paused({ reason: "budget_reached", budget: { limit, neededUsd } })))
  )

const statusOf = (task: Task) =>
  Effect.flatMap(TaskRepo, (repo) => Effect.map(repo.get(task.id), ({ status }) => status))

/** What follows a commit takes real time; the limit of the test is the limit of this wait. */
const untilStatus = (task: Task, wished: Task["status"]) => {
  const look: Effect.Effect<Task["status"], TaskNotFound, TaskRepo> = Effect.zipRight(
    Effect.promise(() => new Promise((resolve) => setImmediate(resolve))),
    statusOf(task)
  )
  return Effect.repeat(look, { until: (status) => status === wished })
}

type Needs = TaskServices | Budgets | Scope.Scope

/** What every Budgets must do. */
export const budgetsContract = <S, E, E1>(
  name: string,
  storage: Layer.Layer<TaskServices | S, E>,
  budgets: Layer.Layer<Budgets, E1, TaskServices | S>
) => {
  const test = (title: string, body: Effect.Effect<void, unknown, Needs>) =>
    it.scoped(title, () =>
      Effect.zipRight(TestClock.setTime(noon), body.pipe(Effect.provide(budgets), Effect.provide(storage)))
    )

  describe(name, () => {
    test(
      "gives what is asked for where there is no budget",
      Effect.gen(function* () {
        const owner = yield* newcomer
        assert.strictEqual(yield* reserve(yield* running(owner)), 1)
        assert.deepStrictEqual(yield* (yield* Budgets).of(owner), [])
      })
    )

    test(
      "gives what is left, then names the limit that is reached",
      Effect.gen(function* () {
        const owner = yield* newcomer
        yield* set(owner, perMonth(5), perDay(1.5))
        const task = yield* running(owner)
        assert.strictEqual(yield* reserve(task), 1)
        const after = yield* answer(task, 0.9)
        assert.strictEqual(yield* reserve(after), 0.6)
        const last = yield* answer(after, 0.55)
        assert.deepInclude(yield* Effect.flip(reserve(last)), { _tag: "BudgetReached", limit: "day" })
      })
    )

    test(
      "counts what was spent before the budget was set, and what is under way",
      Effect.gen(function* () {
        const owner = yield* newcomer
        const early = yield* answer(yield* running(owner), 0.4)
        yield* reserve(early)
        assert.deepStrictEqual(yield* set(owner, perDay(2)), [
          { ...perDay(2), spentUsd: 0.4, reservedUsd: 1, resetsAt: "2026-04-01T00:00:00.000Z" }
        ])
        yield* answer(early, 0.2)
        assert.deepStrictEqual(yield* (yield* Budgets).of(owner), [
          { ...perDay(2), spentUsd: 0.6, reservedUsd: 0, resetsAt: "2026-04-01T00:00:00.000Z" }
        ])
      })
    )

    test(
      "lets a task wait for the answers of others, rather than turn it away or make its answer short",
      Effect.gen(function* () {
        const owner = yield* newcomer
        yield* set(owner, perDay(1.2))
        const [first, second, third] = [yield* running(owner), yield* running(owner), yield* running(owner)]
        yield* reserve(first)
        const second1 = yield* Effect.fork(reserve(second))
        const third1 = yield* Effect.fork(reserve(third))
        yield* Effect.yieldNow()
        assert.deepStrictEqual([second1.unsafePoll(), third1.unsafePoll()], [null, null])
        yield* answer(first, 0.1)
        assert.strictEqual(yield* Fiber.join(second1), 1)
        assert.strictEqual(third1.unsafePoll(), null)
        yield* answer(second, 0.95)
        assert.strictEqual(yield* Fiber.join(third1), 0.15)
      })
    )

    test(
      "keeps users and repositories apart, and knows a repository by all its spellings",
      Effect.gen(function* () {
        const [owner, other] = [yield* newcomer, yield* newcomer]
        yield* set(owner, forRepository(url, 0.5))
        assert.strictEqual(yield* reserve(yield* running(owner, `${url}.git`)), 0.5)
        assert.strictEqual(yield* reserve(yield* running(owner, "https://git.example.com/another")), 1)
        assert.strictEqual(yield* reserve(yield* running(other)), 1)
      })
    )

    test(
      "takes back what a run gives back, and what it never used",
      Effect.gen(function* () {
        const budgets = yield* Budgets
        const owner = yield* newcomer
        yield* set(owner, perDay(1))
        const [first, second] = [yield* running(owner), yield* running(owner)]
        yield* reserve(first)
        assert.strictEqual(yield* reserve(first, { mostUsd: 0.8 }), 0.8)
        const waits = yield* Effect.fork(reserve(second))
        yield* Effect.yieldNow()
        yield* budgets.release(first.id, first.runNumber)
        assert.strictEqual(yield* Fiber.join(waits), 1)
        assert.deepInclude((yield* budgets.of(owner))[0], { spentUsd: 0, reservedUsd: 1 })
      })
    )

    test(
      "gives nothing to a run that another has taken over from, and takes nothing back from the other",
      Effect.gen(function* () {
        const budgets = yield* Budgets
        const owner = yield* newcomer
        yield* set(owner, perDay(1))
        const task = yield* running(owner)
        yield* reserve(task, { run: 2, mostUsd: 0.7 })
        assert.strictEqual((yield* Effect.flip(reserve(task, { run: 1 })))._tag, "RunSuperseded")
        yield* budgets.release(task.id, 1)
        assert.strictEqual((yield* budgets.of(owner))[0]?.reservedUsd, 0.7)
      })
    )

    test(
      "starts a new day and a new month at midnight in UTC",
      Effect.gen(function* () {
        const owner = yield* newcomer
        yield* set(owner, perDay(1), perMonth(3), forRepository(url, 100))
        const task = yield* running(owner)
        yield* reserve(task)
        const after = yield* answer(task, 0.95)
        assert.strictEqual((yield* Effect.flip(reserve(after)))._tag, "BudgetReached")
        yield* TestClock.setTime(Date.parse("2026-04-01T00:00:00.000Z"))
        assert.strictEqual(yield* reserve(after), 1)
        yield* answer(after, 0.3)
        const status = (yield* (yield* Budgets).of(owner)).map(({ resetsAt, spentUsd }) => [spentUsd, resetsAt])
        assert.sameDeepMembers(status, [
          [0.3, "2026-04-02T00:00:00.000Z"],
          [0.3, "2026-05-01T00:00:00.000Z"],
          [1.25, null]
        ])
      })
    )

    test(
      "never lets many at once spend more than there is",
      Effect.gen(function* () {
        const owner = yield* newcomer
        yield* set(owner, perDay(2.5))
        const tasks = yield* Effect.all(Array.from({ length: 8 }, () => running(owner)))
        let most = 0
        const spend = Effect.fnUntraced(function* (task: Task) {
          let current = task
          while (true) {
            const usd = yield* reserve(current)
            const [status] = yield* (yield* Budgets).of(owner)
            most = Math.max(most, (status?.spentUsd ?? 9) + (status?.reservedUsd ?? 9))
            current = yield* answer(current, Math.min(usd, 0.07))
          }
        })
        yield* Effect.forEach(tasks, (task) => Effect.flip(spend(task)), { concurrency: "unbounded" })
        const { costUsd } = yield* (yield* TaskRepo).spent({ owner, from: "2026-01-01" })
        assert.isAtMost(most, 2.5)
        assert.isAtMost(costUsd, 2.5)
        assert.isAbove(costUsd, 2.4)
      })
    )

    test(
      "queues again what a budget had paused once it has what the task was short of, and nothing else",
      Effect.gen(function* () {
        const owner = yield* newcomer
        yield* set(owner, perDay(1), forRepository(url, 1))
        const spender = yield* running(owner)
        yield* reserve(spender)
        yield* answer(spender, 0.95)
        const [needsLittle, needsMuch, byTask] = [yield* running(owner), yield* running(owner), yield* running(owner)]
        yield* pause(needsLittle, "repository", 0.2)
        yield* pause(needsMuch, "day", 3)
        yield* pause(byTask, "task", 0.1)
        yield* set(owner, perDay(2), forRepository(`${url}.git`, 2))
        yield* untilStatus(needsLittle, "queued")
        assert.deepStrictEqual([yield* statusOf(needsMuch), yield* statusOf(byTask)], ["paused", "paused"])
        yield* set(owner)
        yield* untilStatus(needsMuch, "queued")
        assert.strictEqual(yield* statusOf(byTask), "paused")
      })
    )

    test(
      "queues again what pauses only after the budget that refused it was raised",
      Effect.gen(function* () {
        const owner = yield* newcomer
        yield* set(owner, perDay(0.05))
        const task = yield* running(owner)
        yield* Effect.flip(reserve(task))
        yield* set(owner, perDay(5))
        yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 50)))
        yield* pause(task, "day", 0.1)
        yield* untilStatus(task, "queued")
      })
    )

    test(
      "queues again at midnight what the budget of the day had paused",
      Effect.gen(function* () {
        const owner = yield* newcomer
        yield* set(owner, perDay(1), forRepository("https://git.example.com/spent", 0))
        const task = yield* running(owner)
        yield* reserve(task)
        yield* answer(task, 0.95)
        yield* pause(task, "day", 0.2)
        const elsewhere = yield* running(owner, "https://git.example.com/spent")
        yield* pause(elsewhere, "repository", 0.2)
        yield* TestClock.adjust("11 hours")
        assert.strictEqual(yield* statusOf(task), "paused")
        yield* TestClock.adjust("1 hour")
        yield* untilStatus(task, "queued")
        assert.strictEqual(yield* statusOf(elsewhere), "paused")
      })
    )

    test(
      "changes nothing when the transaction around it fails",
      Effect.gen(function* () {
        const transaction = yield* Transaction
        const budgets = yield* Budgets
        const owner = yield* newcomer
        yield* set(owner, perDay(1))
        yield* Effect.flip(transaction.run(Effect.zipRight(set(owner, perDay(9)), Effect.fail("no"))))
        assert.deepInclude((yield* budgets.of(owner))[0], { limitUsd: 1 })
      })
    )
  })
}

/** What every Budgets must do whose storage lasts. `budgets` is built anew for a server that starts again. */
export const lastingBudgetsContract = <S, E, E1>(
  name: string,
  storage: Layer.Layer<TaskServices | S, E>,
  budgets: Layer.Layer<Budgets, E1, TaskServices | S>
) => {
  describe(name, () => {
    it.scoped("knows its budgets and what was spent when it starts again, and nothing of what died with the runs", () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(noon)
        const owner = yield* newcomer
        const task = yield* Effect.gen(function* () {
          yield* set(owner, perDay(1), forRepository(url, 4))
          const task = yield* running(owner)
          yield* reserve(task)
          const after = yield* answer(task, 0.25)
          yield* reserve(after)
          return after
        }).pipe(Effect.provide(budgets))
        yield* Effect.gen(function* () {
          const status = yield* (yield* Budgets).of(owner)
          assert.deepStrictEqual(
            status.map(({ kind, limitUsd, reservedUsd, spentUsd }) => [kind, limitUsd, spentUsd, reservedUsd]),
            [
              ["day", 1, 0.25, 0],
              ["repository", 4, 0.25, 0]
            ]
          )
          assert.strictEqual(yield* reserve(task, { run: 2 }), 0.75)
        }).pipe(Effect.provide(Layer.fresh(budgets)))
      }).pipe(Effect.provide(storage))
    )
  })
}
