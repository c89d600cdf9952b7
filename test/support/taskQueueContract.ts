import { assert, describe } from "@effect/vitest"
import { Deferred, Effect, type Layer, Option, TestClock } from "effect"
import type { AppConfig } from "../../src/services/AppConfig.ts"
import { EventBus, taskStream } from "../../src/services/EventBus.ts"
import type { TaskId } from "../../src/services/Ids.ts"
import { TaskChange } from "../../src/services/TaskChange.ts"
import { cancel, retry } from "../../src/services/TaskCommands.ts"
import type { TaskQueue } from "../../src/services/TaskQueue.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import {
  apply,
  finish,
  onStorage,
  roomy,
  settled,
  statusOf,
  type Storage,
  submit,
  submitMany,
  takeSlot,
  taskOf,
  userNamed
} from "./taskQueueFixtures.ts"

/** What every TaskQueue must do with tasks that wait: order, limits, time, places. */
export const taskQueueContract = <S, E>(
  name: string,
  storage: Layer.Layer<Storage | S, E>,
  queue: Layer.Layer<TaskQueue, never, AppConfig | Storage | S>
) => {
  const { live, test } = onStorage(storage, queue)

  describe(name, () => {
    test(
      "starts the oldest task in a new run, and says so in its log",
      Effect.gen(function* () {
        const tasks = yield* live(roomy)
        const owner = yield* userNamed("alice")
        const first = yield* submit(owner)
        yield* TestClock.adjust("1 second")
        const second = yield* submit(owner)
        const lease = yield* tasks.take
        assert.strictEqual(lease.task.id, first)
        assert.strictEqual(lease.run, 1)
        assert.strictEqual(lease.task.status, "running")
        assert.strictEqual(lease.task.runNumber, 1)
        const events = yield* Effect.flatMap(EventBus, (bus) => bus.read(taskStream(first), 1, 10))
        assert.deepStrictEqual(
          events.map(({ event }) => event),
          [{ type: "run.started", run: 1, reason: "start" }]
        )
        assert.strictEqual((yield* tasks.take).task.id, second)
      })
    )

    test(
      "waits for a task, and hears of it",
      Effect.gen(function* () {
        const tasks = yield* live(roomy)
        const owner = yield* userNamed("alice")
        yield* tasks.wake
        const slot = yield* takeSlot(tasks)
        yield* settled
        assert.isFalse(yield* Deferred.isDone(slot.begun))
        const id = yield* submit(owner)
        yield* tasks.wake
        assert.strictEqual(yield* slot.taken, id)
      })
    )

    test(
      "finds a task by itself when nobody says that it is there",
      Effect.gen(function* () {
        const tasks = yield* live(roomy)
        const slot = yield* takeSlot(tasks)
        yield* settled
        const id = yield* submit(yield* userNamed("alice"))
        yield* TestClock.adjust("30 seconds")
        assert.strictEqual(yield* slot.taken, id)
      })
    )

    test(
      "runs no more tasks at once than the server may, and the next when a slot is given back",
      Effect.gen(function* () {
        const tasks = yield* live({ maxRunning: 2, maxRunningPerUser: 10 })
        const [, , third] = yield* submitMany(yield* userNamed("alice"), 3)
        const first = yield* takeSlot(tasks)
        yield* takeSlot(tasks)
        const waiting = yield* takeSlot(tasks)
        const id = yield* first.taken
        yield* settled
        assert.isFalse(yield* Deferred.isDone(waiting.begun))
        yield* finish(id)
        yield* tasks.wake
        yield* settled
        assert.isFalse(yield* Deferred.isDone(waiting.begun), "a slot is in use until its scope closes")
        yield* first.end
        assert.strictEqual(yield* waiting.taken, third)
      })
    )

    test(
      "runs no more tasks of one user at once than a user may have",
      Effect.gen(function* () {
        const tasks = yield* live({ maxRunning: 10, maxRunningPerUser: 1 })
        const [mine, mineToo] = yield* submitMany(yield* userNamed("alice"), 2)
        const [theirs] = yield* submitMany(yield* userNamed("bob"), 1)
        const slots = [yield* takeSlot(tasks), yield* takeSlot(tasks)]
        const waiting = yield* takeSlot(tasks)
        assert.deepStrictEqual(yield* Effect.all(slots.map(({ taken }) => taken)), [mine, theirs])
        yield* settled
        assert.isFalse(yield* Deferred.isDone(waiting.begun))
        yield* finish(yield* slots[1]?.taken ?? Effect.never)
        yield* slots[1]?.end ?? Effect.void
        yield* settled
        assert.isFalse(yield* Deferred.isDone(waiting.begun), "bob's slot is not alice's")
        yield* finish(yield* slots[0]?.taken ?? Effect.never)
        yield* slots[0]?.end ?? Effect.void
        assert.strictEqual(yield* waiting.taken, mineToo)
      })
    )

    test(
      "leases each task once, however many ask, and never more than the slots",
      Effect.gen(function* () {
        const tasks = yield* live({ maxRunning: 3, maxRunningPerUser: 10 })
        const ids = yield* submitMany(yield* userNamed("alice"), 30)
        const taken: Array<TaskId> = []
        let running = 0
        let most = 0
        const worker = Effect.gen(function* () {
          const { task } = yield* tasks.take
          taken.push(task.id)
          most = Math.max(most, ++running)
          yield* Effect.yieldNow()
          yield* finish(task.id)
          running--
        })
        yield* Effect.all(
          Array.from({ length: 30 }, () => Effect.scoped(worker)),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(taken.toSorted(), ids.toSorted())
        assert.strictEqual(most, 3)
      })
    )

    test(
      "starts of one user's tasks what has the higher priority first, and what was interrupted before everything",
      Effect.gen(function* () {
        const tasks = yield* live(roomy)
        const owner = yield* userNamed("alice")
        const interrupted = yield* submit(owner)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { task } = yield* tasks.take
            yield* apply(task.id, TaskChange.Queued({ reason: "shutdown" }))
          })
        )
        const low = yield* submit(owner, { priority: -1 })
        const normal = yield* submit(owner)
        const high = yield* submit(owner, { priority: 5 })
        const leases = yield* Effect.replicateEffect(tasks.take, 4)
        assert.deepStrictEqual(
          leases.map(({ task }) => task.id),
          [interrupted, high, normal, low]
        )
        assert.strictEqual(leases[0]?.run, 2)
        assert.strictEqual(leases[0]?.task.queuedReason, "shutdown")
      })
    )

    test(
      "gives the next slot to the user without one, past 500 places of another",
      Effect.gen(function* () {
        const tasks = yield* live({ maxRunning: 4, maxRunningPerUser: 4 })
        yield* submitMany(yield* userNamed("alice"), 504)
        const slots = yield* Effect.replicateEffect(takeSlot(tasks), 4)
        yield* Effect.forEach(slots, ({ taken }) => taken)
        const id = yield* submit(yield* userNamed("bob"))
        assert.deepStrictEqual(yield* tasks.position(id), Option.some(0))
        const next = yield* takeSlot(tasks)
        const [first] = slots
        if (first !== undefined) yield* Effect.zipRight(Effect.flatMap(first.taken, finish), first.end)
        assert.strictEqual(yield* next.taken, id)
      })
    )

    test(
      "lets nobody past others by a priority: not into the next slot, and not into more of them",
      Effect.gen(function* () {
        const tasks = yield* live({ maxRunning: 4, maxRunningPerUser: 4 })
        const alice = yield* userNamed("alice")
        const bob = yield* userNamed("bob")
        yield* submitMany(alice, 504, { priority: 1000 })
        const slots = yield* Effect.replicateEffect(takeSlot(tasks), 4)
        yield* Effect.forEach(slots, ({ taken }) => taken)
        const theirs = yield* submitMany(bob, 3, { priority: -1000 })
        const places = yield* Effect.forEach(theirs, tasks.position)
        assert.deepStrictEqual(places.map(Option.getOrNull).toSorted(), [0, 1, 2])
        for (const slot of slots) yield* Effect.zipRight(Effect.flatMap(slot.taken, finish), slot.end)
        const next = yield* Effect.replicateEffect(tasks.take, 4)
        assert.deepStrictEqual(
          next.map(({ task }) => task.owner),
          [bob, alice, bob, alice]
        )
      })
    )

    test(
      "gives a slot that breaks down to the user without one, before the run that broke down",
      Effect.gen(function* () {
        const tasks = yield* live({ maxRunning: 2, maxRunningPerUser: 2 })
        const alice = yield* userNamed("alice")
        const [first] = yield* submitMany(alice, 2)
        const slots = yield* Effect.replicateEffect(takeSlot(tasks), 2)
        yield* Effect.forEach(slots, ({ taken }) => taken)
        const theirs = yield* submit(yield* userNamed("bob"))
        if (first === undefined) return assert.fail()
        yield* apply(first, TaskChange.Queued({ reason: "recovery" }))
        for (const slot of slots) if ((yield* slot.taken) === first) yield* slot.end
        assert.strictEqual((yield* tasks.take).task.id, theirs)
      })
    )

    test(
      "serves users in turn who have as many slots",
      Effect.gen(function* () {
        const tasks = yield* live({ maxRunning: 1, maxRunningPerUser: 1 })
        const alice = yield* userNamed("alice")
        const bob = yield* userNamed("bob")
        yield* submitMany(alice, 3)
        yield* submitMany(bob, 3)
        const turn = Effect.scoped(
          Effect.tap(
            Effect.map(tasks.take, ({ task }) => task),
            ({ id }) => finish(id)
          )
        )
        const served = yield* Effect.replicateEffect(turn, 6)
        assert.deepStrictEqual(
          served.map(({ owner }) => owner),
          [alice, bob, alice, bob, alice, bob]
        )
      })
    )

    test(
      "starts no task before its time",
      Effect.gen(function* () {
        const tasks = yield* live(roomy)
        const owner = yield* userNamed("alice")
        const later = yield* submit(owner, { startAt: "1970-01-01T00:00:12.500Z", priority: 9 })
        const slot = yield* takeSlot(tasks)
        yield* TestClock.adjust("12499 millis")
        yield* settled
        assert.isFalse(yield* Deferred.isDone(slot.begun))
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* slot.taken, later)
      })
    )

    test(
      "fails a task that expired before it could start, and no task that had begun",
      Effect.gen(function* () {
        const tasks = yield* live({ maxRunning: 1, maxRunningPerUser: 1 })
        const owner = yield* userNamed("alice")
        const expiresAt = "1970-01-01T00:01:00.000Z"
        const begun = yield* submit(owner, { expiresAt })
        yield* TestClock.adjust("1 second")
        const late = yield* submit(owner, { expiresAt })
        const slot = yield* takeSlot(tasks)
        assert.strictEqual(yield* slot.taken, begun)
        yield* TestClock.adjust("2 minutes")
        yield* settled
        const failed = yield* taskOf(late)
        assert.strictEqual(failed.status, "failed")
        assert.strictEqual(failed.error?.code, "expired")
        assert.include(failed.error?.message, expiresAt)

        yield* apply(begun, TaskChange.Queued({ reason: "shutdown" }))
        yield* slot.end
        assert.strictEqual((yield* tasks.take).task.id, begun)
      })
    )

    test(
      "starts an expired task after all when it is retried",
      Effect.gen(function* () {
        const tasks = yield* live(roomy)
        const id = yield* submit(yield* userNamed("alice"), { expiresAt: "1970-01-01T00:00:01.000Z" })
        yield* TestClock.adjust("1 minute")
        yield* settled
        assert.strictEqual(yield* statusOf(id), "failed")
        yield* Effect.flatMap(TaskRepo, (repo) => repo.change(id, retry))
        assert.strictEqual((yield* tasks.take).task.id, id)
      })
    )

    test(
      "tells how many tasks stand before one",
      Effect.gen(function* () {
        const tasks = yield* live({ maxRunning: 1, maxRunningPerUser: 1 })
        const alice = yield* userNamed("alice")
        const running = yield* submit(alice)
        yield* tasks.take
        const [first, second, third] = yield* submitMany(alice, 3)
        const later = yield* submit(alice, { startAt: "1970-01-01T00:00:20.000Z", priority: 100 })
        const theirs = yield* submit(yield* userNamed("bob"))
        if (first === undefined || second === undefined || third === undefined) return assert.fail()
        const places = Effect.forEach([theirs, first, second, third, later, running], tasks.position)
        assert.deepStrictEqual((yield* places).map(Option.getOrNull), [0, 1, 2, 3, 4, null])

        const repo = yield* TaskRepo
        yield* repo.change(first, cancel)
        yield* apply(third, TaskChange.Updated({ patch: { priority: 1 } }))
        assert.deepStrictEqual((yield* places).map(Option.getOrNull), [0, null, 2, 1, 3, null])
        yield* TestClock.adjust("20 seconds")
        assert.deepStrictEqual((yield* places).map(Option.getOrNull), [0, null, 3, 2, 1, null])
      })
    )
  })
}
