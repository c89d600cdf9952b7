import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, TestClock } from "effect"
import { decodeTime } from "ulid"
import * as IdsCounter from "../../src/layers/IdsCounter.ts"
import * as IdsUlid from "../../src/layers/IdsUlid.ts"
import { DeviceId, Ids, MessageId, QuestionId, ScheduleId, TaskId, UserId } from "../../src/services/Ids.ts"

const adapters = [
  ["IdsUlid", IdsUlid.layer],
  ["IdsCounter", IdsCounter.layer]
] as const

describe.each(adapters)("%s", (_name, layer) => {
  it.effect("makes ids of the form that their schemas ask for", () =>
    Effect.gen(function* () {
      const ids = yield* Ids
      assert.isTrue(Schema.is(TaskId)(yield* ids.task))
      assert.isTrue(Schema.is(MessageId)(yield* ids.message))
      assert.isTrue(Schema.is(QuestionId)(yield* ids.question))
      assert.isTrue(Schema.is(ScheduleId)(yield* ids.schedule))
      assert.isTrue(Schema.is(UserId)(yield* ids.user))
      assert.isTrue(Schema.is(DeviceId)(yield* ids.device))
      assert.match(yield* ids.plain, /^[0-9A-HJKMNP-TV-Z]{26}$/)
    }).pipe(Effect.provide(layer))
  )

  it.effect("makes ids that are all different and sort by birth, also within a millisecond", () =>
    Effect.gen(function* () {
      const ids = yield* Ids
      yield* TestClock.setTime(1_800_000_000_000)
      const made = yield* Effect.replicateEffect(ids.task, 2000)
      assert.strictEqual(new Set(made).size, made.length)
      assert.deepStrictEqual(made.toSorted(), made)
    }).pipe(Effect.provide(layer))
  )
})

describe("IdsUlid", () => {
  it.effect("takes the time from the clock, and keeps rising when the clock steps back", () =>
    Effect.gen(function* () {
      const ids = yield* Ids
      yield* TestClock.setTime(1_800_000_000_000)
      const before = yield* ids.plain
      yield* TestClock.setTime(1_700_000_000_000)
      const after = yield* ids.plain
      assert.strictEqual(decodeTime(before), 1_800_000_000_000)
      assert.isTrue(after > before)
    }).pipe(Effect.provide(IdsUlid.layer))
  )
})

describe("IdsCounter", () => {
  it.effect("counts each kind from one", () =>
    Effect.gen(function* () {
      const ids = yield* Ids
      assert.strictEqual(yield* ids.task, "task_00000000000000000000000001")
      assert.strictEqual(yield* ids.task, "task_00000000000000000000000002")
      assert.strictEqual(yield* ids.message, "msg_00000000000000000000000001")
    }).pipe(Effect.provide(IdsCounter.layer))
  )
})
