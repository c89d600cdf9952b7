/** The whole application in one process: real storage, real git, commands on this host, a scripted model. */
import { FileSystem } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import { Effect, Option, Stream } from "effect"
import * as AppConfigEnv from "../../src/layers/AppConfigEnv.ts"
import * as AppLayer from "../../src/layers/AppLayer.ts"
import * as ClaudeClientScripted from "../../src/layers/ClaudeClientScripted.ts"
import type { ScriptSource } from "../../src/layers/scripted/Script.ts"
import { Accounts } from "../../src/services/Accounts.ts"
import type { Settings } from "../../src/services/AppConfig.ts"
import { EventBus, taskStream } from "../../src/services/EventBus.ts"
import { Ids, type TaskId } from "../../src/services/Ids.ts"
import type { TaskDraft } from "../../src/services/Task.ts"
import type { TaskEvent } from "../../src/services/TaskEvent.ts"
import { TaskQueue } from "../../src/services/TaskQueue.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import { draftOf } from "./someTasks.ts"

export interface AppOptions {
  readonly dataDir: string
  readonly script: ScriptSource
  readonly maxRunning?: number
  /** File with prices. */
  readonly prices?: string
  readonly ciChanges?: Settings["ciChanges"]
  /** Another place for commands than a directory of this host. */
  readonly sandbox?: AppLayer.Parts["sandbox"]
  /** What else is not as by default. */
  readonly settings?: Parameters<typeof AppConfigEnv.layerWith>[0]
}

export const appLayer = ({ ciChanges, dataDir, maxRunning = 4, prices, sandbox, script, settings }: AppOptions) =>
  AppLayer.layerWith({
    config: AppConfigEnv.layerWith({
      ...settings,
      dataDir,
      allowLocalRepositories: true,
      maxRunning,
      maxRunningPerUser: maxRunning,
      ...(ciChanges === undefined ? {} : { ciChanges }),
      sandbox: { adapter: "process", defaultNetwork: "open" },
      model: { name: ClaudeClientScripted.modelName, prices: Option.fromNullable(prices) }
    }),
    model: ClaudeClientScripted.layerWith(script),
    ...(sandbox === undefined ? {} : { sandbox })
  })

export const temporaryDirectory = Effect.flatMap(FileSystem.FileSystem, (files) =>
  Effect.orDie(files.makeTempDirectoryScoped({ prefix: "errand app " }))
).pipe(Effect.provide(NodeFileSystem.layer))

/** Submits a task as a signed-in user would, without the door. */
export const submit = Effect.fnUntraced(function* (url: string, changes: Partial<TaskDraft> = {}) {
  const accounts = yield* Accounts
  const ids = yield* Ids
  const repo = yield* TaskRepo
  const queue = yield* TaskQueue
  const known = yield* accounts.userByLogin("tester")
  const user = Option.isSome(known)
    ? known.value
    : (yield* accounts.createToken("tester", { name: "test", scopes: ["read", "write"] })).user
  const id = yield* ids.task
  const own: Partial<TaskDraft> = {
    id,
    title: "Mend the sum",
    prompt: "Mend the sum.",
    repository: { url, ref: null },
    branch: `errand/mend-the-sum-${id.slice(-8).toLowerCase()}`,
    network: { mode: "open", hosts: [] },
    model: ClaudeClientScripted.modelName
  }
  const { task } = yield* repo.create(draftOf(user.id, { ...own, ...changes }))
  yield* queue.wake
  return task
})

/** Follows a task until an event that `last` holds for, and gives every event up to it. */
export const eventsUntil = (id: TaskId, last: (event: TaskEvent) => boolean, after = 0) =>
  Effect.flatMap(EventBus, (bus) =>
    bus.follow(taskStream(id), after).pipe(
      Stream.map(({ event, seq }) => ({ ...(event as TaskEvent), seq })),
      Stream.takeUntil(last),
      Stream.runCollect,
      Effect.map((events) => [...events])
    )
  )

const ends: ReadonlyArray<TaskEvent["type"]> = ["task.completed", "task.failed", "task.cancelled", "task.paused"]

/** Everything that happens until the task ends or pauses, and the task as it is then. */
export const finished = Effect.fnUntraced(function* (id: TaskId, after = 0) {
  const events = yield* eventsUntil(id, ({ type }) => ends.includes(type), after)
  const repo = yield* TaskRepo
  return { events, types: events.map(({ type }) => type), task: yield* repo.get(id) }
})
