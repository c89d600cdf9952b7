import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Ref, TestClock } from "effect"
import * as RetentionFiber from "../../src/layers/RetentionFiber.ts"
import { AppConfig } from "../../src/services/AppConfig.ts"
import { GitStore } from "../../src/services/GitStore.ts"
import type { TaskId } from "../../src/services/Ids.ts"
import * as TaskCommands from "../../src/services/TaskCommands.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import { settings } from "../support/settings.ts"
import { newTaskId } from "../support/someEvents.ts"
import { draftOf } from "../support/someTasks.ts"
import { People, tasksMemory } from "../support/storageLayers.ts"

/** Time for what is stored in turns of the event loop. */
const eventually = Effect.promise(() => new Promise((resume) => setTimeout(resume, 1))).pipe(Effect.repeatN(50))

/** Runs with the fiber; what it makes git forget comes with the repo. */
const withRetention = <A, E>(
  days: Option.Option<number>,
  test: (world: {
    readonly repo: TaskRepo["Type"]
    readonly forgotten: Ref.Ref<ReadonlyArray<string>>
    readonly submit: Effect.Effect<TaskId>
  }) => Effect.Effect<A, E>
) =>
  Effect.gen(function* () {
    const repo = yield* TaskRepo
    const owner = yield* (yield* People).newcomer
    const forgotten = yield* Ref.make<ReadonlyArray<string>>([])
    const submit = Effect.orDie(
      Effect.map(
        Effect.suspend(() => repo.create(draftOf(owner, { id: newTaskId() }))),
        ({ task }) => task.id
      )
    )
    yield* Layer.build(RetentionFiber.layer).pipe(
      Effect.provide([
        Layer.succeed(AppConfig, { ...settings, taskRetentionDays: days }),
        Layer.mock(GitStore, { forget: (_, name) => Ref.update(forgotten, (names) => [...names, name]) })
      ])
    )
    return yield* test({ repo, forgotten, submit })
  }).pipe(Effect.scoped, Effect.provide(tasksMemory))

describe("retention", () => {
  it.effect("deletes what ended long ago, its commits too, and nothing else", () =>
    withRetention(
      Option.some(2),
      Effect.fnUntraced(function* ({ forgotten, repo, submit }) {
        const ended = yield* submit
        const open = yield* submit
        yield* repo.change(ended, TaskCommands.cancel)
        yield* TestClock.adjust("47 hours")
        yield* eventually
        assert.strictEqual((yield* repo.get(ended)).status, "cancelled")
        yield* TestClock.adjust("3 hours")
        yield* eventually
        assert.strictEqual((yield* Effect.flip(repo.get(ended)))._tag, "TaskNotFound")
        assert.deepStrictEqual(yield* Ref.get(forgotten), [ended])
        assert.strictEqual((yield* repo.get(open)).status, "queued")
      })
    )
  )

  it.effect("deletes more than one handful", () =>
    withRetention(
      Option.some(1),
      Effect.fnUntraced(function* ({ forgotten, repo, submit }) {
        const ids = yield* Effect.replicateEffect(submit, 250)
        for (const id of ids) yield* repo.change(id, TaskCommands.cancel)
        yield* TestClock.adjust("26 hours")
        yield* Effect.repeatN(eventually, 20)
        assert.strictEqual((yield* Ref.get(forgotten)).length, 250)
      })
    )
  )

  it.effect("keeps everything where nobody asks for it", () =>
    withRetention(
      Option.none(),
      Effect.fnUntraced(function* ({ repo, submit }) {
        const id = yield* submit
        yield* repo.change(id, TaskCommands.cancel)
        yield* TestClock.adjust("40 days")
        yield* eventually
        assert.strictEqual((yield* repo.get(id)).status, "cancelled")
      })
    )
  )
})
