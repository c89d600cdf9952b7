import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, MutableRef, Queue } from "effect"
import type { TaskRun, ToolInterrupts } from "../../src/agent/TaskRun.ts"
import { group, useTools } from "../../src/agent/useTools.ts"
import * as AppConfigEnv from "../../src/layers/AppConfigEnv.ts"
import * as EventBusMemory from "../../src/layers/EventBusMemory.ts"
import * as IdsCounter from "../../src/layers/IdsCounter.ts"
import * as SandboxScripted from "../../src/layers/SandboxScripted.ts"
import * as SecretsMemory from "../../src/layers/SecretsMemory.ts"
import * as TaskRepoMemory from "../../src/layers/TaskRepoMemory.ts"
import * as TransactionMemory from "../../src/layers/TransactionMemory.ts"
import { maskOf, noMask } from "../../src/services/masking.ts"
import { UserId } from "../../src/services/Ids.ts"
import { Sandbox } from "../../src/services/Sandbox.ts"
import { begin } from "../../src/services/evolve.ts"
import { secretOf } from "../support/secretsContract.ts"
import { draftOf, toolCallId } from "../support/someTasks.ts"

const storage = Layer.mergeAll(TaskRepoMemory.layer, IdsCounter.layer).pipe(
  Layer.provideMerge(Layer.merge(EventBusMemory.layer, SecretsMemory.layer)),
  Layer.provideMerge(TransactionMemory.layer),
  Layer.provideMerge(AppConfigEnv.layerWith({}))
)

const task = begin(draftOf(UserId.make("user_01ARZ3NDEKTSV4RRFFQ69G5FAV")), "2026-01-31T12:00:00.000Z")

/** A run that stores nothing. */
const runWith = (interrupts: ToolInterrupts, mask = noMask): TaskRun => ({
  number: 1,
  task: Effect.succeed(task),
  record: () => Effect.succeed(task),
  recordChosen: () => Effect.succeed(task),
  lap: Effect.dieMessage("nothing is measured here"),
  skipLap: Effect.void,
  mayHavePending: MutableRef.make(false),
  interrupts,
  secrets: [],
  mask
})

const search = (pattern: string) => ({
  type: "tool_use" as const,
  id: toolCallId(pattern),
  name: "search_files",
  input: { pattern }
})

describe("tools that run side by side", () => {
  it.scoped("are all interrupted by one request, also when one of them has ended before", () =>
    Effect.gen(function* () {
      const hanging = yield* Queue.unbounded<void>()
      const interrupts: ToolInterrupts = new Set()
      const sandboxes = SandboxScripted.layerWith({
        commands: [
          { when: /hangs/, then: () => Effect.zipRight(Queue.offer(hanging, undefined), Effect.never) },
          { when: /ends/, then: { output: "found" } }
        ]
      })
      const handle = yield* Effect.flatMap(Sandbox, (sandbox) =>
        sandbox.open({ taskId: task.id, run: 1, network: task.network })
      ).pipe(Effect.provide(sandboxes))
      const calls = [search("hangs"), search("hangs too"), search("ends")]
      const using = yield* Effect.fork(useTools(runWith(interrupts), handle, group(calls), new Set()))
      yield* Queue.takeN(hanging, 2)
      yield* Effect.yieldNow({ priority: 1 }).pipe(Effect.repeat({ until: () => interrupts.size === 2 }))
      interrupts.forEach((interrupt) => interrupt())
      const { results } = yield* Fiber.join(using)
      assert.deepStrictEqual(
        results.map(({ is_error }) => is_error),
        [true, true, false]
      )
      assert.strictEqual(interrupts.size, 0)
    }).pipe(Effect.provide(storage))
  )
})

describe("what a tool has found of a secret", () => {
  // Seen to fail without the mask of outcomes: what is stored is masked once more, what the model is asked with is not.
  it.scoped("never gets to the model", () =>
    Effect.gen(function* () {
      const handle = yield* Effect.flatMap(Sandbox, (sandbox) =>
        sandbox.open({ taskId: task.id, run: 1, network: task.network })
      ).pipe(
        Effect.provide(SandboxScripted.layerWith({ commands: [{ when: /finds/, then: { output: "a canary-value" } }] }))
      )
      const run = runWith(new Set(), maskOf([secretOf("TOKEN", "canary-value")]))
      const { ends, results } = yield* useTools(run, handle, group([search("finds")]), new Set())
      assert.deepStrictEqual(
        results.map(({ content }) => content),
        ["a [secret TOKEN]"]
      )
      assert.notInclude(JSON.stringify(ends), "canary")
    }).pipe(Effect.provide(storage))
  )
})
