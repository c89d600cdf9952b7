import { assert, describe } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, type Layer, Ref, Scope, TestClock } from "effect"
import type { AppConfig } from "../../src/services/AppConfig.ts"
import { QuestionId } from "../../src/services/Ids.ts"
import { TaskChange } from "../../src/services/TaskChange.ts"
import { cancel, retry } from "../../src/services/TaskCommands.ts"
import type { TaskQueue } from "../../src/services/TaskQueue.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import {
  aStep,
  apply,
  finish,
  onStorage,
  roomy,
  pass,
  settled,
  statusOf,
  type Storage,
  submit,
  submitMany,
  takeSlot,
  taskOf,
  userNamed
} from "./taskQueueFixtures.ts"

/** What every TaskQueue must do with tasks that run: leases, their end, recovery. */
export const taskLeaseContract = <S, E>(
  name: string,
  storage: Layer.Layer<Storage | S, E>,
  queue: Layer.Layer<TaskQueue, never, AppConfig | Storage | S>
) => {
  const { life: lifeOf, live, liveOnDisk, test } = onStorage(storage, queue)

  describe(name, () => {
    test(
      "keeps a lease as long as its scope is open",
      Effect.gen(function* () {
        const tasks = yield* live(roomy)
        const id = yield* submit(yield* userNamed("alice"))
        yield* tasks.take
        yield* TestClock.adjust("5 minutes")
        yield* settled
        assert.deepStrictEqual(yield* tasks.recover, [])
        assert.strictEqual(yield* statusOf(id), "running")
      })
    )

    test(
      "queues a task again whose run ended without an end",
      Effect.gen(function* () {
        const tasks = yield* live(roomy)
        const id = yield* submit(yield* userNamed("alice"))
        yield* Effect.exit(Effect.scoped(Effect.zipRight(tasks.take, Effect.die("bug"))))
        const task = yield* taskOf(id)
        assert.strictEqual(task.status, "queued")
        assert.strictEqual(task.queuedReason, "recovery")
        assert.strictEqual((yield* tasks.take).run, 2)
      })
    )

    test(
      "loses no slot to a waiter that is interrupted",
      Effect.gen(function* () {
        const tasks = yield* live({ maxRunning: 1, maxRunningPerUser: 1 })
        const waiter = yield* Effect.fork(Effect.scoped(tasks.take))
        yield* settled
        assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(waiter)))
        const id = yield* submit(yield* userNamed("alice"))
        assert.strictEqual((yield* tasks.take).task.id, id)
      })
    )

    test(
      "goes on by itself when there is space on the disk again",
      Effect.gen(function* () {
        const full = yield* Ref.make(true)
        const tasks = yield* liveOnDisk({ maxRunning: 1, maxRunningPerUser: 1 }, full)
        const [first, second] = yield* submitMany(yield* userNamed("alice"), 2)
        const slot = yield* takeSlot(tasks)
        yield* TestClock.adjust("1 minute")
        assert.isFalse(yield* Deferred.isDone(slot.begun))
        yield* Ref.set(full, false)
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(yield* slot.taken, first)

        yield* Effect.flatMap(slot.taken, finish)
        yield* Ref.set(full, true)
        yield* slot.end
        const next = yield* takeSlot(tasks)
        yield* Ref.set(full, false)
        yield* settled
        assert.isFalse(yield* Deferred.isDone(next.begun), "the slot could not be given back")
        yield* TestClock.adjust("70 seconds")
        assert.strictEqual(yield* next.taken, second)
      })
    )

    test(
      "recovers at start what a dead server left running, and nothing else",
      Effect.gen(function* () {
        const owner = yield* userNamed("alice")
        const dead = yield* live(roomy)
        const [running, waiting, done] = yield* submitMany(owner, 3)
        const queued = yield* submit(owner, { startAt: "2000-01-01T00:00:00.000Z" })
        yield* Effect.replicateEffect(dead.take, 3)
        if (running === undefined || waiting === undefined || done === undefined) return assert.fail()
        yield* apply(waiting, TaskChange.Waiting({ questionId: QuestionId.make(`question_${"0".repeat(26)}`) }))
        yield* finish(done)

        const tasks = yield* live({ maxRunning: 1, maxRunningPerUser: 1 })
        assert.deepStrictEqual(yield* tasks.recover, [running])
        assert.deepStrictEqual(yield* tasks.recover, [])
        assert.strictEqual(yield* statusOf(queued), "queued")
        assert.strictEqual(yield* statusOf(waiting), "waiting")
        assert.strictEqual(yield* statusOf(done), "completed")
        const lease = yield* tasks.take
        assert.strictEqual(lease.task.id, running)
        assert.strictEqual(lease.run, 2)
        assert.strictEqual(lease.task.queuedReason, "recovery")
      })
    )

    test(
      "leaves a run alone that took over from a lease which ends late",
      Effect.gen(function* () {
        const life = yield* Scope.make()
        const dead = yield* Scope.extend(live(roomy), life)
        const id = yield* submit(yield* userNamed("alice"))
        const late = yield* takeSlot(dead)
        yield* late.taken
        yield* Scope.close(life, Exit.void)
        const tasks = yield* live(roomy)
        yield* tasks.recover
        assert.strictEqual((yield* tasks.take).run, 2)
        yield* late.end
        yield* TestClock.adjust("5 minutes")
        yield* settled
        const task = yield* taskOf(id)
        assert.strictEqual(task.status, "running")
        assert.strictEqual(task.runNumber, 2)
      })
    )

    test(
      "sets a task aside after two recoveries in a row without a step, the last one after a time of calm",
      Effect.gen(function* () {
        const id = yield* submit(yield* userNamed("alice"))
        yield* Effect.replicateEffect(lifeOf(1), 2)
        yield* lifeOf(31)
        const tasks = yield* live(roomy)
        assert.deepStrictEqual(yield* tasks.recover, [])
        const task = yield* taskOf(id)
        assert.strictEqual(task.status, "failed")
        assert.strictEqual(task.error?.code, "poisoned")
        assert.strictEqual(task.runNumber, 3)
      })
    )

    test(
      "recovers a task for ever that makes a step in each life",
      Effect.gen(function* () {
        const id = yield* submit(yield* userNamed("alice"))
        for (let life = 1; life <= 6; life++) {
          yield* lifeOf(1)
          assert.strictEqual((yield* taskOf(id)).runNumber, life)
          yield* apply(id, yield* aStep)
        }
      })
    )

    test(
      "fails no task of a server that is killed again and again before a step can be done",
      Effect.gen(function* () {
        const id = yield* submit(yield* userNamed("alice"))
        yield* Effect.replicateEffect(lifeOf(8), 10)
        yield* lifeOf(31)
        const task = yield* taskOf(id)
        assert.strictEqual(task.status, "running")
        assert.strictEqual(task.runNumber, 3)
      })
    )

    test(
      "tries tasks that may have broken the server down one after the other",
      Effect.gen(function* () {
        const ids = yield* submitMany(yield* userNamed("alice"), 2)
        yield* Effect.replicateEffect(lifeOf(1), 2)
        const statuses = Effect.forEach(ids, statusOf)
        const tasks = yield* live(roomy)
        yield* tasks.recover
        yield* Effect.replicateEffect(takeSlot(tasks), 2)
        const innocent = yield* submit(yield* userNamed("bob"))
        yield* tasks.wake
        yield* settled
        assert.strictEqual(yield* statusOf(innocent), "running")
        yield* takeSlot(tasks)
        yield* pass(31)
        assert.deepStrictEqual((yield* statuses).toSorted(), ["queued", "running"])
        yield* pass(60)
        assert.deepStrictEqual((yield* statuses).toSorted(), ["queued", "running"])
        for (const id of ids) if ((yield* statusOf(id)) === "running") yield* apply(id, yield* aStep)
        yield* pass(2)
        assert.deepStrictEqual(yield* statuses, ["running", "running"])
      })
    )

    test(
      "sets a task aside that its runs keep putting back",
      Effect.gen(function* () {
        const tasks = yield* live(roomy)
        const id = yield* submit(yield* userNamed("alice"))
        const breakDown = Effect.scoped(
          Effect.tap(tasks.take, ({ task }) => apply(task.id, TaskChange.Queued({ reason: "recovery" })))
        )
        yield* Effect.replicateEffect(breakDown, 2)
        const last = yield* Effect.fork(breakDown)
        yield* pass(31)
        yield* Fiber.join(last)
        const slot = yield* takeSlot(tasks)
        yield* settled
        assert.isFalse(yield* Deferred.isDone(slot.begun))
        assert.strictEqual((yield* taskOf(id)).error?.code, "poisoned")
      })
    )

    test(
      "starts no task again before its last run has given everything back",
      Effect.gen(function* () {
        const tasks = yield* live(roomy)
        const id = yield* submit(yield* userNamed("alice"))
        const slot = yield* takeSlot(tasks)
        yield* slot.taken
        const repo = yield* TaskRepo
        yield* repo.change(id, cancel)
        yield* repo.change(id, retry)
        yield* tasks.wake
        const next = yield* takeSlot(tasks)
        yield* settled
        assert.isFalse(yield* Deferred.isDone(next.begun))
        yield* slot.end
        assert.strictEqual(yield* next.taken, id)
        assert.strictEqual((yield* taskOf(id)).queuedReason, "retry")
      })
    )
  })
}
