import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Layer, Option, Ref, Scope, TestClock } from "effect"
import * as SchedulerFiber from "../../src/layers/SchedulerFiber.ts"
import { AppConfig } from "../../src/services/AppConfig.ts"
import { ClaudeClient } from "../../src/services/ClaudeClient.ts"
import { DiskSpace } from "../../src/services/DiskSpace.ts"
import type { TaskId } from "../../src/services/Ids.ts"
import { Pricing } from "../../src/services/Pricing.ts"
import { Sandbox } from "../../src/services/Sandbox.ts"
import { type Schedule, type ScheduleDraft, Schedules } from "../../src/services/Schedules.ts"
import type { Secrets } from "../../src/services/Secrets.ts"
import { TaskChange } from "../../src/services/TaskChange.ts"
import { TaskQueue } from "../../src/services/TaskQueue.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import { TaskRunner } from "../../src/services/TaskRunner.ts"
import { StorageFull, Transaction } from "../../src/services/Transaction.ts"
import { scheduleDraft } from "./schedulesContract.ts"
import { settings } from "./settings.ts"
import { apply, settled, type Storage, userNamed } from "./taskQueueFixtures.ts"

type Services = Storage | Schedules | Secrets

interface Surroundings {
  readonly hasModel?: boolean
  /** Returns when there is room on the disk. */
  readonly room?: Effect.Effect<void>
}

/** What a life of a server finds around it; `stopped` collects the tasks whose runs it stops. */
const surroundings = (stopped: Ref.Ref<ReadonlyArray<TaskId>>, { hasModel = true, room = Effect.void }: Surroundings) =>
  Layer.mergeAll(
    Layer.succeed(AppConfig, settings),
    Layer.succeed(Pricing, { table: { "claude-test": { input: 1, output: 1, cacheRead: 1, cacheWrite: 1 } } }),
    Layer.mock(Sandbox, { networkModes: ["none"] }),
    Layer.mock(ClaudeClient, { configured: Effect.succeed(hasModel) }),
    Layer.mock(DiskSpace, { until: () => room }),
    Layer.mock(TaskQueue, { wake: Effect.void }),
    Layer.mock(TaskRunner, { stop: (id) => Ref.update(stopped, (ids) => [...ids, id]) })
  )

/** A life of a server: its scheduler runs until the scope closes. Gives the tasks whose runs it has stopped. */
const startLife = Effect.fnUntraced(function* (around: Surroundings = {}) {
  const stopped = yield* Ref.make<ReadonlyArray<TaskId>>([])
  yield* Layer.build(SchedulerFiber.layer.pipe(Layer.provide(surroundings(stopped, around))))
  return Ref.get(stopped)
})

/** The schedules of these tests have a slot every ten minutes: 1, 2, 3 and so on. */
const at = (slot: number, minutes = 0) => new Date((slot * 10 + minutes) * 60_000).toISOString()
const day = (number: number) => at(number * 144)
const numberOf = (slot: string) => Date.parse(slot) / 600_000

const everyTenMinutes = Effect.fnUntraced(function* (part: Partial<ScheduleDraft> = {}) {
  const schedules = yield* Schedules
  return yield* schedules.create(yield* scheduleDraft(yield* userNamed("alice"), { cron: "*/10 * * * *", ...part }))
})

const tasksOf = ({ id, owner }: Schedule) =>
  Effect.flatMap(TaskRepo, (repo) =>
    Effect.map(repo.list({ owner, schedule: id }, { limit: 200, cursor: Option.none() }), ({ items }) =>
      items.toReversed()
    )
  )

/** Oldest first, in short. */
const runsOf = ({ id }: Schedule) =>
  Effect.flatMap(Schedules, (schedules) =>
    Effect.map(schedules.runs(id, { limit: 200, cursor: Option.none() }), ({ items }) => items.toReversed())
  )
const storyOf = (schedule: Schedule) =>
  Effect.map(runsOf(schedule), (runs) =>
    runs.map(({ reason, slot, status }) => `${numberOf(slot)} ${status}${reason === null ? "" : ` ${reason}`}`)
  )

/** Everything that is due has been settled: storage takes turns of the event loop, which no clock counts. */
const nothingDue = Effect.fnUntraced(function* (shift: { readonly ms: number } = { ms: 0 }) {
  const schedules = yield* Schedules
  const owner = yield* userNamed("alice")
  const now = new Date((yield* Clock.currentTimeMillis) + shift.ms).toISOString()
  const isDue = Effect.map(schedules.list(owner, { limit: 200, cursor: Option.none() }), ({ items }) =>
    items.some(({ nextRunAt }) => nextRunAt !== null && nextRunAt <= now)
  )
  yield* Effect.repeat(Effect.zipRight(settled, isDue), { while: (due) => due })
  yield* settled
})

const live = (around?: Surroundings) => Effect.zipLeft(startLife(around), nothingDue())

const pass = (duration: `${number} ${"minutes" | "seconds"}`, shift?: { readonly ms: number }) =>
  Effect.zipRight(TestClock.adjust(duration), nothingDue(shift))

/** A clock that is set by somebody: so many milliseconds from that of the test. Sleeps take no notice. */
const onShiftedClock =
  (shift: { readonly ms: number }) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.clockWith((clock) => {
      const shifted: Clock.Clock = {
        [Clock.ClockTypeId]: Clock.ClockTypeId,
        unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis() + shift.ms,
        unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos() + BigInt(shift.ms) * 1_000_000n,
        currentTimeMillis: Effect.sync(() => shifted.unsafeCurrentTimeMillis()),
        currentTimeNanos: Effect.sync(() => shifted.unsafeCurrentTimeNanos()),
        sleep: (duration) => clock.sleep(duration)
      }
      return Effect.withClock(effect, shifted)
    })

/** What a scheduler must do on every storage. The clock stands at the beginning of 1970. */
export const schedulerContract = <E>(name: string, storage: Layer.Layer<Services, E>) => {
  const test = (title: string, body: Effect.Effect<void, unknown, Services | Scope.Scope>) =>
    it.scoped(title, () => Effect.provide(body, storage))

  describe(name, () => {
    test(
      "makes a task at each slot, with its events, and says so",
      Effect.gen(function* () {
        yield* live()
        const schedule = yield* everyTenMinutes({ overlap: "allow" })
        yield* pass("9 minutes")
        assert.lengthOf(yield* tasksOf(schedule), 0)
        yield* pass("1 minutes")
        yield* pass("10 minutes")
        const tasks = yield* tasksOf(schedule)
        assert.deepStrictEqual(
          tasks.map(({ createdAt, prompt, status }) => ({ createdAt, prompt, status })),
          [1, 2].map((slot) => ({ createdAt: at(slot), prompt: schedule.task.prompt, status: "queued" }))
        )
        const [first, second] = tasks
        assert.notStrictEqual(first?.branch, second?.branch)
        assert.deepStrictEqual(
          yield* runsOf(schedule),
          tasks.map(({ createdAt, id }) => ({
            slot: createdAt,
            through: null,
            status: "started",
            reason: null,
            detail: null,
            taskId: id,
            blockedBy: null,
            recordedAt: createdAt
          }))
        )
      })
    )

    test(
      "skips a slot while a task of the schedule has not ended, and names the task",
      Effect.gen(function* () {
        yield* live()
        const schedule = yield* everyTenMinutes()
        yield* pass("10 minutes")
        const [task] = yield* tasksOf(schedule)
        if (task === undefined) return assert.fail()
        yield* apply(task.id, TaskChange.RunStarted({ run: 1, reason: "start" }))
        yield* apply(task.id, TaskChange.Paused({ reason: "budget_reached" }))
        yield* pass("10 minutes")
        const skipped = (yield* runsOf(schedule))[1]
        assert.deepInclude(skipped, { status: "skipped", reason: "overlap", taskId: null, blockedBy: task.id })
        assert.include(skipped?.detail, "still paused")
        yield* apply(task.id, TaskChange.Cancelled())
        yield* pass("10 minutes")
        assert.deepStrictEqual(yield* storyOf(schedule), ["1 started", "2 skipped overlap", "3 started"])
      })
    )

    test(
      "replaces a task that has not ended: cancelled in the same moment, its run stopped",
      Effect.gen(function* () {
        const stopped = yield* live()
        const schedule = yield* everyTenMinutes({ overlap: "replace" })
        yield* pass("10 minutes")
        yield* pass("10 minutes")
        const [old, fresh] = yield* tasksOf(schedule)
        if (old === undefined) return assert.fail()
        assert.deepInclude(old, { status: "cancelled", finishedAt: at(2) })
        assert.deepInclude(fresh, { status: "queued", createdAt: at(2) })
        assert.deepStrictEqual(yield* stopped, [old.id])
      })
    )

    test(
      "records why no task could be made, and cancels nothing for it",
      Effect.gen(function* () {
        const life = yield* Scope.make()
        yield* Scope.extend(live(), life)
        const schedule = yield* everyTenMinutes({ overlap: "replace" })
        yield* pass("10 minutes")
        yield* Scope.close(life, Exit.void)
        const schedules = yield* Schedules
        const poor = yield* Scope.make()
        yield* Scope.extend(live({ hasModel: false }), poor)
        yield* pass("10 minutes")
        yield* Scope.close(poor, Exit.void)
        const task = { ...schedule.task, network: { mode: "open" as const } }
        yield* schedules.update(schedule.owner, schedule.id, { task })
        assert.deepStrictEqual(yield* storyOf(schedule), ["1 started", "2 failed model_not_configured"])
        yield* live()
        const refused = yield* everyTenMinutes({ task, cron: "*/5 * * * *" })
        yield* pass("5 minutes")
        assert.include(yield* storyOf(refused), "2.5 failed network_mode_unavailable")
        assert.deepStrictEqual(
          (yield* tasksOf(schedule)).map(({ status }) => status),
          ["queued"]
        )
      })
    )

    const afterDowntime = Effect.fnUntraced(function* (part: Partial<ScheduleDraft>, slots: number) {
      const schedule = yield* everyTenMinutes({ overlap: "allow", ...part })
      const life = yield* Scope.make()
      yield* Scope.extend(live(), life)
      yield* pass("10 minutes")
      yield* Scope.close(life, Exit.void)
      yield* TestClock.adjust(`${slots * 10 + 5} minutes`)
      yield* live()
      return schedule
    })

    test(
      "after the server was down: nothing is caught up where the policy is none, and every slot is told",
      Effect.gen(function* () {
        const schedule = yield* afterDowntime({ catchUp: "none" }, 3)
        const expected = ["1 started", ...[2, 3, 4].map((slot) => `${slot} missed server_down`)]
        assert.deepStrictEqual(yield* storyOf(schedule), expected)
        yield* pass("5 minutes")
        assert.deepStrictEqual(yield* storyOf(schedule), [...expected, "5 started"])
      })
    )

    test(
      "the newest is caught up where it is one",
      Effect.gen(function* () {
        const schedule = yield* afterDowntime({ catchUp: "one" }, 3)
        assert.deepStrictEqual(yield* storyOf(schedule), [
          "1 started",
          "2 missed server_down",
          "3 missed server_down",
          "4 started"
        ])
        assert.strictEqual((yield* runsOf(schedule)).at(-1)?.recordedAt, at(4, 5))
      })
    )

    test(
      "all of the window are caught up where it is all",
      Effect.gen(function* () {
        const schedule = yield* afterDowntime({ catchUp: "all", catchUpWindowSeconds: 2 * 600 }, 4)
        assert.deepStrictEqual(yield* storyOf(schedule), [
          "1 started",
          "2 missed server_down",
          "3 missed server_down",
          "4 started",
          "5 started"
        ])
        assert.lengthOf(yield* tasksOf(schedule), 3)
      })
    )

    test(
      "one record stands for the slots that are too many to tell one by one",
      Effect.gen(function* () {
        const schedule = yield* everyTenMinutes({ cron: "* * * * *", catchUp: "all", overlap: "allow" })
        yield* TestClock.adjust("300 minutes")
        yield* live()
        const [old, ...runs] = yield* runsOf(schedule)
        assert.deepInclude(old, { slot: at(0, 1), through: at(20), status: "missed", reason: "server_down" })
        assert.deepStrictEqual(
          runs.map(({ slot, status }) => `${slot} ${status}`),
          Array.from({ length: 100 }, (_, index) => `${at(20, 1 + index)} started`)
        )
        yield* pass("1 minutes")
        const full = (yield* runsOf(schedule)).at(-1)
        assert.deepInclude(full, { slot: at(30, 1), status: "skipped", reason: "overlap" })
        assert.include(full?.detail, "100 tasks")
      })
    )

    test(
      "looks back a month and no further",
      Effect.gen(function* () {
        const schedule = yield* everyTenMinutes({ cron: "0 0 * * *" })
        yield* TestClock.adjust("60 days")
        yield* live()
        const runs = yield* runsOf(schedule)
        assert.deepInclude(runs[0], { slot: day(1), through: day(29), status: "missed" })
        assert.lengthOf(runs, 32)
        assert.deepInclude(runs.at(-1), { slot: day(60), status: "started" })
      })
    )

    test(
      "a clock that jumps forward misses slots, and one that is set back repeats none",
      Effect.gen(function* () {
        const shift = { ms: 0 }
        yield* onShiftedClock(shift)(startLife())
        const schedule = yield* everyTenMinutes({ overlap: "allow" })
        yield* pass("10 minutes", shift)
        shift.ms = 35 * 60_000
        yield* pass("30 seconds", shift)
        const jumped = ["1 started", "2 missed late", "3 missed late", "4 started"]
        assert.deepStrictEqual(yield* storyOf(schedule), jumped)
        shift.ms = -10 * 60_000
        yield* pass("49 minutes", shift)
        assert.deepStrictEqual(yield* storyOf(schedule), jumped)
        yield* pass("1 minutes", shift)
        assert.deepStrictEqual(yield* storyOf(schedule), [...jumped, "5 started"])
      })
    )

    test(
      "waits while nothing can be stored, and goes on by itself",
      Effect.gen(function* () {
        const schedule = yield* everyTenMinutes({ overlap: "allow" })
        const full = yield* Ref.make(true)
        const transaction = yield* Transaction
        const refusing = Transaction.of({
          ...transaction,
          run: (effect) =>
            Effect.flatMap(Ref.get(full), (isFull) => (isFull ? new StorageFull() : transaction.run(effect)))
        })
        yield* Effect.provideService(startLife(), Transaction, refusing)
        yield* TestClock.adjust("10 minutes")
        yield* settled
        yield* Ref.set(full, false)
        yield* pass("2 seconds")
        assert.deepStrictEqual(yield* storyOf(schedule), ["1 started"])
      })
    )

    test(
      "starts nothing while there is no room on the disk, and tells what was missed meanwhile",
      Effect.gen(function* () {
        const room = yield* Deferred.make<void>()
        yield* startLife({ room: Deferred.await(room) })
        const schedule = yield* everyTenMinutes()
        yield* TestClock.adjust("25 minutes")
        yield* settled
        assert.deepStrictEqual(yield* storyOf(schedule), [])
        yield* Deferred.succeed(room, undefined)
        yield* pass("1 seconds")
        assert.deepStrictEqual(yield* storyOf(schedule), ["1 missed late", "2 started"])
      })
    )

    test(
      "goes on after whatever has failed once",
      Effect.gen(function* () {
        const failed = yield* Ref.make(false)
        const room = Effect.flatMap(Ref.getAndSet(failed, true), (before) =>
          before ? Effect.void : Effect.dieMessage("the disk could not be looked at")
        )
        yield* startLife({ room })
        const schedule = yield* everyTenMinutes()
        yield* TestClock.adjust("10 minutes")
        yield* settled
        assert.deepStrictEqual(yield* storyOf(schedule), [])
        yield* pass("2 seconds")
        assert.deepStrictEqual(yield* storyOf(schedule), ["1 started"])
      })
    )

    test(
      "leaves paused schedules alone, and the tasks of deleted ones",
      Effect.gen(function* () {
        yield* live()
        const schedules = yield* Schedules
        const schedule = yield* everyTenMinutes()
        yield* schedules.update(schedule.owner, schedule.id, { enabled: false })
        yield* pass("25 minutes")
        assert.deepStrictEqual(yield* storyOf(schedule), [])
        yield* schedules.update(schedule.owner, schedule.id, { enabled: true })
        yield* pass("5 minutes")
        assert.deepStrictEqual(yield* storyOf(schedule), ["3 started"])
        yield* schedules.remove(schedule.owner, schedule.id)
        yield* pass("20 minutes")
        assert.deepStrictEqual(
          (yield* tasksOf(schedule)).map(({ createdAt }) => createdAt),
          [at(3)]
        )
      })
    )
  })
}
