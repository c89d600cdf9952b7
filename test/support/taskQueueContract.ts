import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Either, Exit, Fiber, Layer, Option, Ref, type Scope, TestClock } from "effect"
import * as AppConfigEnv from "../../src/layers/AppConfigEnv.ts"
import { Accounts } from "../../src/services/Accounts.ts"
import type { AppConfig } from "../../src/services/AppConfig.ts"
import { EventBus, taskStream } from "../../src/services/EventBus.ts"
import { Ids, QuestionId, type TaskId, type UserId } from "../../src/services/Ids.ts"
import { defaultLimits, type TaskDraft } from "../../src/services/Task.ts"
import { TaskChange } from "../../src/services/TaskChange.ts"
import { cancel, retry } from "../../src/services/TaskCommands.ts"
import { TaskQueue } from "../../src/services/TaskQueue.ts"
import { StorageFull, Transaction } from "../../src/services/Transaction.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"

type Storage = TaskRepo | EventBus | Accounts | Ids | Transaction

interface Limits {
  readonly maxRunning: number
  readonly maxRunningPerUser: number
}

const roomy: Limits = { maxRunning: 100, maxRunningPerUser: 100 }

const userNamed = (login: string) =>
  Effect.flatMap(Accounts, (accounts) =>
    Effect.map(accounts.createToken(login, { name: "phone", scopes: [] }), ({ user }) => user.id)
  )

type Wishes = Partial<Pick<TaskDraft, "priority" | "startAt" | "expiresAt">>

const submit = Effect.fnUntraced(function* (owner: UserId, wishes: Wishes = {}) {
  const repo = yield* TaskRepo
  const id = yield* Effect.flatMap(Ids, (ids) => ids.task)
  const { task } = yield* repo.create({
    id,
    owner,
    title: "A task",
    prompt: "Do it.",
    repository: { url: "https://git.example/a/b", ref: null },
    branch: "errand/a-task",
    delivery: "none",
    limits: defaultLimits,
    network: { mode: "none", hosts: [] },
    approvals: "never",
    model: "claude-test",
    priority: 0,
    tags: [],
    secrets: [],
    startAt: null,
    expiresAt: null,
    ...wishes
  })
  return task.id
})

const submitMany = (owner: UserId, count: number, wishes: Wishes = {}) =>
  Effect.replicateEffect(submit(owner, wishes), count, { concurrency: "unbounded" })

const apply = (id: TaskId, ...changes: ReadonlyArray<TaskChange>) =>
  Effect.flatMap(TaskRepo, (repo) => repo.change(id, () => Either.right(changes)))

const taskOf = (id: TaskId) => Effect.flatMap(TaskRepo, (repo) => repo.get(id))
const statusOf = (id: TaskId) => Effect.map(taskOf(id), ({ status }) => status)

const newMessage = Effect.map(
  Effect.flatMap(Ids, (ids) => ids.message),
  (messageId) => TaskChange.MessageAdded({ messageId, role: "user", content: [], delivers: [], startsOver: false })
)

/** Something the clock of the test does not move: storage may take turns of the event loop. */
const settled = Effect.yieldNow({ priority: 1 }).pipe(Effect.repeatN(20), Effect.zipRight(TestClock.adjust(0)))

/**
 * What every TaskQueue must do. `storage` is what outlives a queue, `queue` what one life of a server adds to it.
 */
export const taskQueueContract = <S, E>(
  name: string,
  storage: Layer.Layer<Storage | S, E>,
  queue: Layer.Layer<TaskQueue, never, AppConfig | Storage | S>
) => {
  /** A life of a server: a queue over the same storage. */
  const live = (limits: Limits) =>
    Effect.map(Layer.build(Layer.provide(queue, AppConfigEnv.layerWith(limits))), (context): typeof TaskQueue.Service =>
      Context.get(context, TaskQueue)
    )

  const test = (title: string, body: Effect.Effect<void, unknown, Storage | S | Scope.Scope>) =>
    it.scoped(title, () => Effect.provide(body, storage))

  /** A life in which nothing can be stored while `full` holds. */
  const liveOnDisk = (limits: Limits, full: Ref.Ref<boolean>) =>
    Effect.gen(function* () {
      const { afterCommit, run } = yield* Transaction
      return yield* Effect.provideService(live(limits), Transaction, {
        afterCommit,
        run: (effect) =>
          Effect.flatMap(Ref.get(full), (isFull) => (isFull ? Effect.fail(new StorageFull()) : run(effect)))
      })
    })

  /** A lease whose scope is closed by `end`. */
  const takeSlot = Effect.fnUntraced(function* (tasks: typeof TaskQueue.Service) {
    const end = yield* Deferred.make<void>()
    const begun = yield* Deferred.make<TaskId>()
    const run = yield* tasks.take.pipe(
      Effect.tap(({ task }) => Deferred.succeed(begun, task.id)),
      Effect.zipRight(Deferred.await(end)),
      Effect.scoped,
      Effect.forkScoped
    )
    return {
      begun,
      taken: Deferred.await(begun),
      end: Effect.zipRight(Deferred.succeed(end, undefined), Fiber.join(run))
    }
  })

  const finish = (id: TaskId) => apply(id, TaskChange.Completed())

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
      "starts what has the higher priority first, and what was interrupted before everything",
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
        const dead = yield* live(roomy)
        const id = yield* submit(yield* userNamed("alice"))
        const late = yield* takeSlot(dead)
        yield* late.taken
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

    /** One life of a server that ends by kill -9 while it runs a task. */
    const crash = Effect.gen(function* () {
      const tasks = yield* live(roomy)
      yield* tasks.recover
      return yield* tasks.take
    })

    test(
      "sets a task aside after two recoveries in a row without a step",
      Effect.gen(function* () {
        const id = yield* submit(yield* userNamed("alice"))
        yield* Effect.replicateEffect(crash, 3)
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
          assert.strictEqual((yield* crash).run, life)
          yield* apply(id, yield* newMessage)
        }
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
        yield* Effect.replicateEffect(breakDown, 3)
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
        assert.deepStrictEqual((yield* places).map(Option.getOrNull), [1, null, 2, 0, 3, null])
        yield* TestClock.adjust("20 seconds")
        assert.deepStrictEqual((yield* places).map(Option.getOrNull), [2, null, 3, 1, 0, null])
      })
    )
  })
}
