/**
 * TaskRunner with one fiber for each running task, owned by this layer.
 *
 * Closing the layer interrupts all of them and waits until their sandboxes are gone.
 */
import {
  DateTime,
  Duration,
  Effect,
  Either,
  Exit,
  FiberMap,
  HashMap,
  Layer,
  Option,
  Ref,
  Schedule,
  Scope
} from "effect"
import { expired } from "../agent/askUser.ts"
import { runTask } from "../agent/runTask.ts"
import type { ToolInterrupts } from "../agent/TaskRun.ts"
import type { AppConfig } from "../services/AppConfig.ts"
import type { Budgets } from "../services/Budgets.ts"
import type { ClaudeClient } from "../services/ClaudeClient.ts"
import { DiskSpace } from "../services/DiskSpace.ts"
import type { EventBus } from "../services/EventBus.ts"
import type { Forge } from "../services/Forge.ts"
import type { ForgeTokens } from "../services/ForgeTokens.ts"
import type { GitCredentials } from "../services/GitCredentials.ts"
import type { GitStore } from "../services/GitStore.ts"
import type { Ids, TaskId } from "../services/Ids.ts"
import type { Pricing } from "../services/Pricing.ts"
import { Sandbox } from "../services/Sandbox.ts"
import type { Secrets } from "../services/Secrets.ts"
import { TaskChange } from "../services/TaskChange.ts"
import { type Lease, TaskQueue } from "../services/TaskQueue.ts"
import { TaskRepo } from "../services/TaskRepo.ts"
import { TaskRunner } from "../services/TaskRunner.ts"
import type { Transaction } from "../services/Transaction.ts"
import { resumeWithSpace } from "./resumeWithSpace.ts"

/** How often an engine that was not ready is asked again, and questions are looked through. */
const healthCheck = Duration.seconds(2)
const questionCheck = Schedule.spaced("5 seconds")

type Needs =
  | AppConfig
  | Budgets
  | ClaudeClient
  | DiskSpace
  | EventBus
  | Forge
  | ForgeTokens
  | GitCredentials
  | GitStore
  | Ids
  | Pricing
  | Sandbox
  | Secrets
  | TaskQueue
  | TaskRepo
  | Transaction

export const layer = Layer.scoped(
  TaskRunner,
  Effect.gen(function* () {
    const queue = yield* TaskQueue
    const sandbox = yield* Sandbox
    const disk = yield* DiskSpace
    const context = yield* Effect.context<Needs>()
    const runs = yield* FiberMap.make<TaskId, void, never>()
    const interrupts = yield* Ref.make(HashMap.empty<TaskId, ToolInterrupts>())

    /** The slot belongs to the lease's scope, which closes when the run has ended. */
    const start = (lease: Lease, slot: Scope.CloseableScope) =>
      Effect.gen(function* () {
        const { id } = lease.task
        const toolInterrupts: ToolInterrupts = new Set()
        yield* Ref.update(interrupts, HashMap.set(id, toolInterrupts))
        yield* runTask(lease, toolInterrupts).pipe(
          Effect.provide(context),
          Effect.catchAllCause((cause) => Effect.logError("a run ended unexpectedly", cause)),
          Effect.ensuring(Ref.update(interrupts, HashMap.remove(id))),
          Effect.ensuring(Scope.close(slot, Exit.void)),
          Effect.ensuring(queue.wake),
          Effect.annotateLogs({ taskId: id, run: lease.run }),
          FiberMap.run(runs, id)
        )
      })

    const ready = sandbox.health.pipe(
      Effect.repeat({ until: (health) => health.ready, schedule: Schedule.spaced(healthCheck) })
    )

    const takeNext = Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        yield* restore(Effect.zipRight(ready, disk.until(false)))
        const slot = yield* Scope.make()
        const lease = yield* restore(Scope.extend(queue.take, slot)).pipe(
          Effect.onError(() => Scope.close(slot, Exit.void))
        )
        yield* start(lease, slot)
      })
    )

    const isRunning = (id: TaskId) => FiberMap.has(runs, id)

    yield* untilItWorks(
      "Tasks of a former life could not be taken up",
      Effect.zipRight(sweep(sandbox), queue.recover)
    ).pipe(Effect.zipRight(Effect.forever(untilItWorks("No task could be started", takeNext))), Effect.forkScoped)
    yield* Effect.forkScoped(Effect.provide(resumeWithSpace, context))
    yield* untilItWorks("Questions could not be looked through", closeExpired(isRunning)).pipe(
      Effect.repeat(questionCheck),
      Effect.provide(context),
      Effect.forkScoped
    )

    return TaskRunner.of({
      stop: (id) => FiberMap.remove(runs, id),
      interruptTool: (id) =>
        Effect.flatMap(Ref.get(interrupts), (all) =>
          Option.match(HashMap.get(all, id), {
            onNone: () => Effect.void,
            onSome: (tools) => Effect.sync(() => tools.forEach((interrupt) => interrupt()))
          })
        ),
      running: Effect.sync(() => Array.from(runs, ([id]) => id)),
      awaitIdle: FiberMap.awaitEmpty(runs)
    })
  })
)

/** What this layer does in the background, it does as long as the server lives, whatever happened once. */
const untilItWorks = <A, E, R>(trouble: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, never, R> =>
  Effect.catchAllCause(effect, (cause) =>
    Effect.logWarning(`${trouble}; it is tried again.`, cause).pipe(
      Effect.zipRight(Effect.sleep(healthCheck)),
      Effect.zipRight(Effect.suspend(() => untilItWorks(trouble, effect)))
    )
  )

/** Sandboxes of a former life go before anything runs; an engine that is away is asked again until it answers. */
const sweep = (sandbox: Sandbox["Type"]) =>
  sandbox.sweep.pipe(
    Effect.tap((count) => (count > 0 ? Effect.logInfo(`removed ${count} sandboxes of a former life`) : Effect.void)),
    Effect.retry(Schedule.spaced(healthCheck))
  )

/**
 * Looks after tasks that wait for a person without a run: a question whose time is up gets its default, and a task
 * whose question is closed goes back to the queue.
 */
const closeExpired = Effect.fnUntraced(function* (isRunning: (id: TaskId) => Effect.Effect<boolean>) {
  const repo = yield* TaskRepo
  const queue = yield* TaskQueue
  const now = DateTime.formatIso(yield* DateTime.now)
  for (const { id } of yield* repo.withStatus(["waiting"])) {
    if (yield* isRunning(id)) continue
    const { items } = yield* repo.questions({ task: id, status: "open" }, { limit: 1, cursor: Option.none() })
    const [question] = items
    if (question !== undefined && question.expiresAt > now) continue
    yield* repo
      .change(id, (task) =>
        task.status === "waiting"
          ? Either.right([
              ...(question === undefined ? [] : [expired(question)]),
              TaskChange.Queued({ reason: "answer" })
            ])
          : Either.right([])
      )
      .pipe(
        Effect.catchAllCause((cause) => Effect.logWarning("a question could not be closed", cause)),
        Effect.annotateLogs("taskId", id)
      )
    yield* queue.wake
  }
})
