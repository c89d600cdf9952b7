/**
 * Tasks: from requests to services and back.
 */
import { HttpApiBuilder } from "@effect/platform"
import { Array, Effect, FiberMap } from "effect"
import { AppConfig } from "../../services/AppConfig.ts"
import { ClaudeClient } from "../../services/ClaudeClient.ts"
import { DiskSpace } from "../../services/DiskSpace.ts"
import { makeDrafts } from "../../services/draftTask.ts"
import { EventBus, inboxStream, taskStream } from "../../services/EventBus.ts"
import { GitStore } from "../../services/GitStore.ts"
import type { TaskId } from "../../services/Ids.ts"
import { NewTask } from "../../services/NewTask.ts"
import type { Task } from "../../services/Task.ts"
import * as TaskCommands from "../../services/TaskCommands.ts"
import { TaskQueue } from "../../services/TaskQueue.ts"
import { TaskRepo } from "../../services/TaskRepo.ts"
import { StorageFull } from "../../services/Transaction.ts"
import { CurrentPrincipal } from "../api/Authentication.ts"
import { Problem } from "../api/Problem.ts"
import { NoBody, Rewind, TaskPatch } from "../api/requests.ts"
import { TaskView } from "../api/TaskView.ts"
import { Api } from "../Api.ts"
import { command } from "../idempotent.ts"
import { modelMissing } from "../modelMissing.ts"
import { boundedPage, pageRequest } from "../pages.ts"
import { PullRequestWatch } from "../PullRequestWatch.ts"
import { bodyText, decodeBody } from "../requestBody.ts"
import { makeRewind } from "../rewindTask.ts"
import { makeStopRun } from "../stopRun.ts"
import { Hub } from "../stream/Hub.ts"
import { makeViews } from "../taskView.ts"
import { asProblem } from "../translate.ts"
import { makeOwned } from "./ownedTask.ts"

const create = command({ body: NewTask, answer: TaskView, status: 201 })
const rewind = command({ body: Rewind, answer: TaskView, status: 200 })
const act = command({ body: NoBody, answer: TaskView, status: 200 })
const decodePatch = decodeBody(TaskPatch)

const queueFull = (most: number) =>
  Problem.of("queue_full", `${most} of your tasks wait already. Hand over more when some have started.`, {
    headers: { "retry-after": "60" }
  })

export const layer = HttpApiBuilder.group(Api, "tasks", (handlers) =>
  Effect.gen(function* () {
    const repo = yield* TaskRepo
    const queue = yield* TaskQueue
    const claude = yield* ClaudeClient
    const bus = yield* EventBus
    const hub = yield* Hub
    const store = yield* GitStore
    const disk = yield* DiskSpace
    const views = yield* makeViews
    const owned = yield* makeOwned
    const draftOf = yield* makeDrafts
    const stopRun = yield* makeStopRun
    const rewinding = yield* makeRewind
    const watchPullRequest = yield* PullRequestWatch
    const { perUser } = yield* AppConfig
    const forgetting = yield* FiberMap.make<TaskId, void>()

    const change = <E>(id: TaskId, decide: TaskCommands.Decide<E>) =>
      Effect.gen(function* () {
        yield* owned(id)
        const { task, seq } = yield* repo.change(id, decide)
        return { value: yield* views.after(task, seq) }
      })

    return handlers
      .handleRaw("create", () =>
        Effect.gen(function* () {
          const { user } = yield* CurrentPrincipal
          const hasModel = yield* claude.configured
          const noRoom = yield* disk.low
          const store = (request: NewTask) =>
            Effect.gen(function* () {
              const draft = yield* draftOf(user.id, request)
              if (!hasModel) return yield* modelMissing
              if (noRoom) return yield* new StorageFull()
              if ((yield* repo.queuedCount(user.id)) >= perUser.queuedTasks)
                return yield* queueFull(perUser.queuedTasks)
              const { task, seq } = yield* repo.create(draft)
              return { value: yield* views.after(task, seq), headers: { location: `/api/v1/tasks/${task.id}` } }
            })
          return yield* create(store, queue.wake)
        }).pipe(asProblem)
      )
      .handle("list", ({ urlParams: { limit, cursor, ...filter } }) =>
        Effect.gen(function* () {
          const { user } = yield* CurrentPrincipal
          const stream = inboxStream(user.id)
          const [seq, epoch] = yield* Effect.all([bus.head(stream), bus.epoch])
          const page = yield* boundedPage(
            pageRequest({ limit, cursor }),
            (task: Task) => task.prompt.length,
            (request) => repo.list({ owner: user.id, ...filter }, request)
          )
          // Each is read once more, after its seq; what was deleted in between is left out.
          const items = yield* Effect.forEach(page.items, ({ id }) => Effect.option(views.fresh(id, repo.get(id))))
          return { items: Array.getSomes(items), nextCursor: page.nextCursor, seq, epoch }
        })
      )
      .handle("get", ({ path: { taskId } }) =>
        asProblem(views.fresh(taskId, Effect.tap(owned(taskId), watchPullRequest.onRead)))
      )
      .handleRaw("update", ({ path: { taskId } }) =>
        Effect.gen(function* () {
          const patch = yield* Effect.flatMap(bodyText, decodePatch)
          if (Object.keys(patch).length === 0) return yield* views.fresh(taskId, owned(taskId))
          const updated = Effect.zipLeft(change(taskId, TaskCommands.update(patch)), queue.wake)
          return (yield* Effect.uninterruptible(updated)).value
        }).pipe(asProblem)
      )
      .handle("remove", ({ path: { taskId } }) =>
        Effect.gen(function* () {
          const { owner, repository } = yield* owned(taskId)
          // Nobody waits for it: another task may have the repository for as long as a fetch takes.
          const forgotten = store.forget({ owner, url: repository.url }, taskId).pipe(
            Effect.catchAllCause((cause) => Effect.logWarning("the commits of a deleted task are still kept", cause)),
            Effect.interruptible,
            FiberMap.run(forgetting, taskId)
          )
          const gone = Effect.zipRight(hub.end(taskStream(taskId)), forgotten)
          yield* Effect.uninterruptible(Effect.zipRight(repo.remove(taskId), gone))
        }).pipe(asProblem)
      )
      .handleRaw("cancel", ({ path: { taskId } }) =>
        act(() => change(taskId, TaskCommands.cancel), stopRun.begin(taskId)).pipe(
          Effect.zipLeft(stopRun.ended(taskId)),
          asProblem
        )
      )
      .handleRaw("retry", ({ path: { taskId } }) =>
        act(() => change(taskId, TaskCommands.retry), queue.wake).pipe(asProblem)
      )
      .handleRaw("rewind", ({ path: { taskId } }) =>
        rewind(
          (request) =>
            owned(taskId).pipe(
              Effect.flatMap((task) => rewinding(task, request)),
              Effect.flatMap((decide) => change(taskId, decide))
            ),
          queue.wake
        ).pipe(asProblem)
      )
  })
)
