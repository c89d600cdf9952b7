/** Tasks, lives of a server and slots, for the contract suites of TaskQueue. */
import { it } from "@effect/vitest"
import { Context, Deferred, Effect, Either, Exit, Fiber, Layer, Ref, Scope, TestClock } from "effect"
import * as AppConfigEnv from "../../src/layers/AppConfigEnv.ts"
import { Accounts } from "../../src/services/Accounts.ts"
import type { AppConfig } from "../../src/services/AppConfig.ts"
import type { EventBus } from "../../src/services/EventBus.ts"
import { Ids, type TaskId, type UserId } from "../../src/services/Ids.ts"
import type { TaskDraft } from "../../src/services/Task.ts"
import { TaskChange } from "../../src/services/TaskChange.ts"
import { TaskQueue } from "../../src/services/TaskQueue.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import { StorageFull, Transaction } from "../../src/services/Transaction.ts"
import { draftOf } from "./someTasks.ts"

export type Storage = TaskRepo | EventBus | Accounts | Ids | Transaction

export interface Limits {
  readonly maxRunning: number
  readonly maxRunningPerUser: number
}

export const roomy: Limits = { maxRunning: 100, maxRunningPerUser: 100 }

export const userNamed = (login: string) =>
  Effect.flatMap(Accounts, (accounts) =>
    Effect.map(accounts.createToken(login, { name: "phone", scopes: [] }), ({ user }) => user.id)
  )

export type Wishes = Partial<Pick<TaskDraft, "priority" | "startAt" | "expiresAt">>

export const submit = Effect.fnUntraced(function* (owner: UserId, wishes: Wishes = {}) {
  const repo = yield* TaskRepo
  const id = yield* Effect.flatMap(Ids, (ids) => ids.task)
  const { task } = yield* repo.create(draftOf(owner, { id, ...wishes }))
  return task.id
})

export const submitMany = (owner: UserId, count: number, wishes: Wishes = {}) =>
  Effect.replicateEffect(submit(owner, wishes), count, { concurrency: "unbounded" })

export const apply = (id: TaskId, ...changes: ReadonlyArray<TaskChange>) =>
  Effect.flatMap(TaskRepo, (repo) => repo.change(id, () => Either.right(changes)))

export const taskOf = (id: TaskId) => Effect.flatMap(TaskRepo, (repo) => repo.get(id))
export const statusOf = (id: TaskId) => Effect.map(taskOf(id), ({ status }) => status)

/** An answer of the model that calls no tool. */
export const aStep = Effect.map(
  Effect.flatMap(Ids, (ids) => ids.message),
  (messageId) => TaskChange.MessageAdded({ messageId, role: "assistant", content: [], delivers: [], startsOver: false })
)

/** Something the clock of the test does not move: storage may take turns of the event loop. */
export const settled = Effect.yieldNow({ priority: 1 }).pipe(Effect.repeatN(20), Effect.zipRight(TestClock.adjust(0)))

/** Time that passes in steps, with all that happens in it. */
export const pass = (seconds: number) =>
  Effect.zipRight(TestClock.adjust("1 second"), settled).pipe(Effect.repeatN(seconds - 1))

/** Ends a run well. */
export const finish = (id: TaskId) => apply(id, TaskChange.Completed())

/** A lease whose scope is closed by `end`. */
export const takeSlot = Effect.fnUntraced(function* (tasks: typeof TaskQueue.Service) {
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
    end: Effect.zipRight(Deferred.succeed(end, undefined), Fiber.join(run)),
    /** Waits no longer, if nothing has come yet. */
    giveUp: Effect.unlessEffect(Fiber.interrupt(run), Deferred.isDone(begun))
  }
})

/** Lives of a server over one storage: `storage` outlives a queue, `queue` is what a life adds to it. */
export const onStorage = <S, E>(
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

  /** One life of a server, with somebody at every slot, that ends by kill -9 after a while. */
  const life = (seconds: number) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const tasks = yield* Scope.extend(live(roomy), scope)
      yield* tasks.recover
      const slots = yield* Effect.replicateEffect(takeSlot(tasks), 3)
      yield* settled
      yield* pass(seconds)
      yield* Effect.forEach(slots, (slot) => slot.giveUp)
      yield* Scope.close(scope, Exit.void)
    })

  return { life, live, liveOnDisk, test }
}
