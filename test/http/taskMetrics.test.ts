import { expect, layer } from "@effect/vitest"
import { Effect, Layer, SubscriptionRef } from "effect"
import * as DiskSpaceMemory from "../../src/layers/DiskSpaceMemory.ts"
import { DiskSpace } from "../../src/services/DiskSpace.ts"
import { TaskChange } from "../../src/services/TaskChange.ts"
import { TaskRepo } from "../../src/services/TaskRepo.ts"
import { finishTool, startTool, these } from "../support/someTasks.ts"
import { ask, door, submit, tokenFor } from "./door.ts"

/** Sum of a histogram's count over its tags. */
const countOf = (text: string, name: string) =>
  [...text.matchAll(new RegExp(`^${name}_count(?:\\{.*\\})? (\\d+)$`, "gm"))].reduce(
    (sum, [, count]) => sum + Number(count),
    0
  )

/** Of which 12,345 bytes are free. */
const disk = Layer.effect(
  DiskSpace,
  Effect.map(SubscriptionRef.make(false), (low) => ({ ...DiskSpaceMemory.make(low), free: Effect.succeedSome(12_345) }))
)

layer(door({ disk }), { excludeTestServices: true })("metrics of tasks", (it) => {
  it.effect("tell how long a task waited, started, ran and used its tools", () =>
    Effect.gen(function* () {
      const { token } = yield* tokenFor("owner")
      const before = (yield* ask("GET", "/metrics")).text
      const id = yield* submit(token)
      const repo = yield* TaskRepo
      yield* repo.change(id, these(TaskChange.RunStarted({ run: 1, reason: "start" })))
      yield* repo.change(id, these(TaskChange.SandboxReady()))
      yield* repo.change(id, these(startTool("call_1")))
      yield* repo.change(id, these(finishTool("call_1")))
      yield* repo.change(id, these(TaskChange.Failed({ error: { code: "some", message: "thing" } })))
      const { text } = yield* ask("GET", "/metrics")
      for (const name of ["queue_wait", "sandbox_start", "run", "tool"]) {
        const metric = `errand_${name}_seconds`
        expect([metric, countOf(text, metric) - countOf(before, metric)]).toEqual([metric, 1])
      }
      expect(text).toMatch(/^errand_run_seconds_count\{outcome="failed"\} 1$/m)
      expect(countOf(text, "errand_event_lag_seconds") - countOf(before, "errand_event_lag_seconds")).toBeGreaterThan(5)
      expect(text).toContain("\nerrand_disk_free_bytes 12345\n")
    })
  )
})
