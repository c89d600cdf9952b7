/**
 * TaskQueue over any store of leases.
 *
 * Choosing a task, its lease and the start of its run are one transaction. Whoever waits for a task looks, then sleeps
 * until somebody says that something changed or until the clock alone changes something, then looks again.
 */
import { Array, Data, Deferred, Duration, Effect, Option, Ref, Schedule } from "effect"
import { AppConfig } from "../../services/AppConfig.ts"
import { Ids, type TaskId, type UserId } from "../../services/Ids.ts"
import type { Timestamp } from "../../services/Task.ts"
import type { Decide } from "../../services/TaskCommands.ts"
import { type Lease, TaskQueue } from "../../services/TaskQueue.ts"
import { TaskRepo } from "../../services/TaskRepo.ts"
import { Transaction } from "../../services/Transaction.ts"
import { fromNow, now } from "../timestamp.ts"
import { expire, recover, recoverAfter, start } from "./decisions.ts"
import type { LeaseStore, StoredLease } from "./LeaseStore.ts"
import { makePositions } from "./makePositions.ts"
import { isOverdue, nextMoment, nextToStart, type QueuedTask } from "./queueOrder.ts"
import { isSuspect, lastBreakdown, timeUntilTrial } from "./suspicion.ts"

/** How long a lease holds without being renewed. */
const leaseTime = Duration.seconds(30)
const renewal = Schedule.spaced(Duration.times(leaseTime, 1 / 3))
/** How long to wait when nothing can be stored. */
const storagePause = Duration.seconds(2)

/** What a look into the queue gives: a lease, nothing until something changes or the time is up, or another look. */
type Look = Data.TaggedEnum<{
  Leased: { readonly lease: StoredLease; readonly task: Lease["task"] }
  Wait: { readonly duration: Duration.Duration }
  Again: {}
}>
const Look = Data.taggedEnum<Look>()

const slotsOf = (leases: ReadonlyArray<StoredLease>): ReadonlyMap<UserId, number> => {
  const counts = new Map<UserId, number>()
  for (const { owner } of leases) counts.set(owner, (counts.get(owner) ?? 0) + 1)
  return counts
}

/** Never longer than a lease, so that a wake-up that was lost, or a clock that was set, costs little. */
const pauseBefore = (moment: Option.Option<Timestamp>, at: Timestamp): Duration.Duration =>
  Option.match(moment, {
    onNone: () => leaseTime,
    onSome: (next) => Duration.min(leaseTime, Duration.millis(Date.parse(next) - Date.parse(at)))
  })

export const makeTaskQueue = Effect.fnUntraced(function* (store: LeaseStore) {
  const { maxRunning, maxRunningPerUser } = yield* AppConfig
  const repo = yield* TaskRepo
  const transaction = yield* Transaction
  const worker = yield* Effect.flatMap(Ids, (ids) => ids.plain)
  const signal = yield* Ref.make(yield* Deferred.make<void>())
  const held = new Set<StoredLease>()
  const served = new Map<UserId, number>()
  let starts = 0
  let breakdown = yield* now
  let trial: StoredLease | undefined

  const positions = yield* makePositions(
    Effect.all({
      queued: store.queued,
      shares: Effect.map(store.leases, (leases) => ({ slots: slotsOf(leases), served }))
    })
  )

  const wake = Deferred.make<void>().pipe(
    Effect.flatMap((next) => Ref.getAndSet(signal, next)),
    Effect.flatMap((current) => Deferred.succeed(current, undefined)),
    Effect.asVoid
  )

  const change = (id: TaskId, decide: Decide<never>) =>
    repo.change(id, decide).pipe(
      Effect.asSome,
      Effect.map(Option.map(({ task }) => task)),
      Effect.catchTags({
        TaskNotFound: () => Effect.succeedNone,
        IllegalTransition: (error) => Effect.die(error)
      })
    )

  const expireOverdue = (queued: ReadonlyArray<QueuedTask>, at: Timestamp) =>
    Effect.forEach(
      queued.filter((task) => isOverdue(task, at)),
      ({ id }) => change(id, expire(at)),
      { discard: true }
    )

  /** Whether the last suspect that was started runs and has not done a step yet. */
  const isOneOnTrial = Effect.suspend(() =>
    trial === undefined || !held.has(trial)
      ? Effect.succeed(false)
      : Effect.map(
          Effect.option(repo.get(trial.taskId)),
          Option.exists(({ recoveries }) => recoveries > 0)
        )
  )

  /** How long suspects have to wait; nothing when there are none. */
  const pauseOfSuspects = Effect.fnUntraced(function* (queued: ReadonlyArray<QueuedTask>, at: Timestamp) {
    breakdown = lastBreakdown(breakdown, queued)
    return queued.some(isSuspect) ? timeUntilTrial(breakdown, at, yield* isOneOnTrial) : Duration.zero
  })

  const begin = Effect.fnUntraced(function* (next: QueuedTask) {
    const task = yield* change(next.id, start)
    if (Option.isNone(task) || task.value.status !== "running") return Look.Again()
    const { id: taskId, owner, runNumber: run } = task.value
    const lease: StoredLease = { taskId, owner, run, worker, until: yield* fromNow(leaseTime) }
    yield* store.add(lease)
    served.set(owner, ++starts)
    if (isSuspect(next)) trial = lease
    return Look.Leased({ lease, task: task.value })
  })

  const look = Effect.gen(function* () {
    const leases = yield* store.leases
    if (leases.length >= maxRunning) return Look.Wait({ duration: leaseTime })
    const at = yield* now
    const queued = yield* store.queued
    yield* expireOverdue(queued, at)
    const leased = new Set(leases.map((lease) => lease.taskId))
    const free = queued.filter((task) => !leased.has(task.id) && !isOverdue(task, at))
    const pause = yield* pauseOfSuspects(free, at)
    const isHeldUp = Duration.greaterThan(pause, Duration.zero)
    const ready = isHeldUp ? free.filter((task) => !isSuspect(task)) : free
    const next = nextToStart(ready, { slots: slotsOf(leases), served }, at, maxRunningPerUser)
    if (Option.isSome(next)) return yield* begin(next.value)
    const until = pauseBefore(nextMoment(free, at), at)
    return Look.Wait({ duration: isHeldUp ? Duration.min(pause, until) : until })
  }).pipe(
    transaction.run,
    Effect.catchAllCause((cause) =>
      Effect.as(
        Effect.logWarning("The queue can't start a task now; it tries again.", cause),
        Look.Wait({ duration: storagePause })
      )
    )
  )

  const release = Effect.fnUntraced(
    function* (lease: StoredLease) {
      held.delete(lease)
      yield* transaction.run(Effect.zipRight(store.remove(lease), change(lease.taskId, recoverAfter(lease.run))))
    },
    // The lease then ends by itself, because nobody renews it any more.
    Effect.catchAllCause((cause) => Effect.logWarning("A lease could not be given back.", cause)),
    (effect, { run, taskId }) => Effect.annotateLogs(effect, { taskId, run }),
    Effect.zipRight(positions.forget),
    Effect.zipRight(wake)
  )

  const take = Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      while (true) {
        const changed = yield* Ref.get(signal)
        const found = yield* look
        if (found._tag === "Leased") {
          const { lease, task } = found
          held.add(lease)
          yield* Effect.addFinalizer(() => release(lease))
          return { task, run: lease.run }
        }
        if (found._tag === "Wait") {
          yield* restore(Effect.raceFirst(Deferred.await(changed), Effect.sleep(found.duration)))
        }
      }
    })
  )

  const recoverWithout = Effect.fnUntraced(function* (isAlive: (lease: StoredLease) => boolean) {
    const [dead, alive] = Array.partition(yield* store.leases, isAlive)
    yield* Effect.forEach(dead, store.remove, { discard: true })
    const running = yield* repo.withStatus(["running"])
    const orphans = running.filter(({ id, runNumber }) =>
      alive.every((lease) => lease.taskId !== id || lease.run !== runNumber)
    )
    const recovered = yield* Effect.forEach(orphans, ({ id }) => change(id, recover))
    yield* transaction.afterCommit(wake)
    return recovered.flatMap(Option.toArray).flatMap(({ id, status }) => (status === "queued" ? [id] : []))
  })

  /** What a lease needs while it is held, and what has run out. Renewed first: after a pause of the process all are late. */
  const keep = Effect.gen(function* () {
    const at = yield* now
    const until = yield* fromNow(leaseTime)
    yield* Effect.forEach(held, (lease) => store.renew(lease, until), { discard: true })
    yield* expireOverdue(yield* store.queued, at)
    yield* recoverWithout((lease) => lease.until > at)
  }).pipe(
    transaction.run,
    Effect.catchAllCause((cause) => Effect.logWarning("The leases could not be renewed; it is tried again.", cause))
  )
  yield* keep.pipe(Effect.schedule(renewal), Effect.forkScoped)

  return TaskQueue.of({
    take,
    wake,

    position: positions.position,

    // The data directory has one server at a time: the leases of any other are those of a dead one.
    recover: Effect.gen(function* () {
      const at = yield* now
      return yield* recoverWithout((lease) => lease.worker === worker && lease.until > at)
    }).pipe(
      transaction.run,
      Effect.retry(Schedule.spaced(storagePause)),
      Effect.orDie,
      Effect.withSpan("TaskQueue.recover")
    )
  })
})
