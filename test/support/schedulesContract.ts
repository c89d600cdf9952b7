import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, type Layer, Option, type Scope, TestClock } from "effect"
import type { Accounts } from "../../src/services/Accounts.ts"
import { Ids, type UserId } from "../../src/services/Ids.ts"
import {
  mostSchedules,
  runsKept,
  type Schedule,
  type ScheduleDraft,
  type ScheduleRun,
  Schedules
} from "../../src/services/Schedules.ts"
import { settled, userNamed } from "./taskQueueFixtures.ts"

type Services = Schedules | Accounts | Ids

export const scheduleDraft = Effect.fnUntraced(function* (owner: UserId, part: Partial<ScheduleDraft> = {}) {
  const id = yield* Effect.flatMap(Ids, (ids) => ids.schedule)
  const draft: ScheduleDraft = {
    id,
    owner,
    title: "Every hour",
    cron: "0 * * * *",
    timeZone: "UTC",
    task: { repository: { url: "https://git.example/a/b" }, prompt: "Look for what has changed: \u{1f50d}" },
    overlap: "skip",
    catchUp: "one",
    catchUpWindowSeconds: 86_400,
    enabled: true,
    ...part
  }
  return draft
})

const newSchedule = Effect.fnUntraced(function* (owner: UserId, part: Partial<ScheduleDraft> = {}) {
  const schedules = yield* Schedules
  return yield* schedules.create(yield* scheduleDraft(owner, part))
})

const at = (hours: number, minutes = 0) => new Date((hours * 60 + minutes) * 60_000).toISOString()

const missed = (slot: string): ScheduleRun => ({
  slot,
  through: null,
  status: "missed",
  reason: "late",
  detail: "Late.",
  taskId: null,
  blockedBy: null,
  recordedAt: slot
})

const settle = (schedule: Schedule, slot: string, next: string) =>
  Effect.flatMap(Schedules, (schedules) => schedules.settle(schedule, next, Effect.succeed(missed(slot))))

const all = { limit: 200, cursor: Option.none() }

/** What every Schedules must do. The clock stands at the beginning of 1970. */
export const schedulesContract = <E>(name: string, layer: Layer.Layer<Services, E>) => {
  const test = (title: string, body: Effect.Effect<void, unknown, Services | Scope.Scope>) =>
    it.scoped(title, () => Effect.provide(body, layer))

  describe(name, () => {
    test(
      "keeps a schedule as it was made, with its next slot",
      Effect.gen(function* () {
        const schedules = yield* Schedules
        const owner = yield* userNamed("alice")
        const draft = yield* scheduleDraft(owner, { timeZone: "Asia/Kolkata", catchUp: "all", overlap: "replace" })
        const made = yield* schedules.create(draft)
        assert.deepStrictEqual(made, { ...draft, nextRunAt: at(0, 30), createdAt: at(0), updatedAt: at(0) })
        assert.deepStrictEqual(yield* schedules.get(owner, made.id), made)
        assert.isTrue(Option.isNone(yield* schedules.lastRun(made.id)))
      })
    )

    test(
      "shows a schedule to its owner only",
      Effect.gen(function* () {
        const schedules = yield* Schedules
        const { id, owner } = yield* newSchedule(yield* userNamed("alice"))
        const other = yield* userNamed("bob")
        const refusals = [
          Effect.asVoid(schedules.get(other, id)),
          Effect.asVoid(schedules.update(other, id, { enabled: false })),
          schedules.remove(other, id)
        ]
        for (const refused of refusals) assert.strictEqual((yield* Effect.flip(refused))._tag, "ScheduleNotFound")
        assert.lengthOf((yield* schedules.list(other, all)).items, 0)
        assert.isTrue((yield* schedules.get(owner, id)).enabled)
      })
    )

    test(
      "lists the newest first, in pages",
      Effect.gen(function* () {
        const schedules = yield* Schedules
        const owner = yield* userNamed("alice")
        const ids: Array<string> = []
        for (let n = 0; n < 5; n++) {
          ids.unshift((yield* newSchedule(owner)).id)
          if (n % 2 === 0) yield* TestClock.adjust("1 second")
        }
        const first = yield* schedules.list(owner, { limit: 3, cursor: Option.none() })
        const second = yield* schedules.list(owner, { limit: 3, cursor: Option.fromNullable(first.nextCursor) })
        assert.deepStrictEqual(
          [...first.items, ...second.items].map(({ id }) => id),
          ids
        )
        assert.isNull(second.nextCursor)
      })
    )

    test(
      "refuses words that tell no slots, and the schedule after the hundredth",
      Effect.gen(function* () {
        const schedules = yield* Schedules
        const owner = yield* userNamed("alice")
        const bad = yield* Effect.flip(newSchedule(owner, { cron: "0 0 30 2 *" }))
        assert.deepInclude(bad, { _tag: "SlotsRefused", path: "cron" })
        const { id } = yield* newSchedule(owner)
        const zone = yield* Effect.flip(schedules.update(owner, id, { timeZone: "+02:00" }))
        assert.deepInclude(zone, { _tag: "SlotsRefused", path: "timeZone" })
        assert.strictEqual((yield* schedules.get(owner, id)).timeZone, "UTC")
        yield* Effect.replicateEffect(newSchedule(owner), mostSchedules - 1)
        assert.strictEqual((yield* Effect.flip(newSchedule(owner)))._tag, "TooManySchedules")
        yield* schedules.remove(owner, id)
        yield* newSchedule(owner)
        yield* newSchedule(yield* userNamed("bob"))
      })
    )

    test(
      "has no next slot while it is not enabled, and counts from then on when it is again",
      Effect.gen(function* () {
        const schedules = yield* Schedules
        const { id, owner } = yield* newSchedule(yield* userNamed("alice"))
        const paused = yield* schedules.update(owner, id, { enabled: false })
        assert.isNull(paused.nextRunAt)
        yield* TestClock.adjust("150 minutes")
        assert.strictEqual((yield* schedules.update(owner, id, { enabled: true })).nextRunAt, at(3))
        assert.strictEqual((yield* schedules.update(owner, id, { title: "Other" })).nextRunAt, at(3))
        assert.strictEqual((yield* schedules.update(owner, id, { cron: "45 * * * *" })).nextRunAt, at(2, 45))
      })
    )

    test(
      "waits until a schedule is due, hears of new ones, and gives the longest due first",
      Effect.gen(function* () {
        const schedules = yield* Schedules
        const owner = yield* userNamed("alice")
        const seen = yield* Deferred.make<ReadonlyArray<Schedule>>()
        yield* Effect.forkScoped(Effect.flatMap(schedules.due, (due) => Deferred.succeed(seen, due)))
        yield* settled
        const hourly = yield* newSchedule(owner)
        const sooner = yield* newSchedule(owner, { cron: "10 * * * *" })
        yield* TestClock.adjust("599999 millis")
        yield* settled
        assert.isFalse(yield* Deferred.isDone(seen))
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(yield* Deferred.await(seen), [sooner])
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(
          (yield* schedules.due).map(({ id }) => id),
          [sooner.id, hourly.id]
        )
      })
    )

    test(
      "settles a slot once, however many try, and goes on to the next",
      Effect.gen(function* () {
        const schedules = yield* Schedules
        const made = yield* newSchedule(yield* userNamed("alice"))
        yield* TestClock.adjust("1 hour")
        const tries = yield* Effect.all(
          Array.from({ length: 5 }, () => settle(made, at(1), at(2))),
          { concurrency: "unbounded" }
        )
        assert.lengthOf(tries.filter(Option.isSome), 1)
        assert.strictEqual((yield* schedules.get(made.owner, made.id)).nextRunAt, at(2))
        assert.deepStrictEqual((yield* schedules.runs(made.id, all)).items, [missed(at(1))])
        assert.deepStrictEqual(yield* schedules.lastRun(made.id), Option.some(missed(at(1))))
      })
    )

    test(
      "settles nothing of a schedule that was changed, paused or deleted meanwhile, nor when the outcome fails",
      Effect.gen(function* () {
        const schedules = yield* Schedules
        const made = yield* newSchedule(yield* userNamed("alice"))
        yield* TestClock.adjust("1 hour")
        const failed = schedules.settle(made, at(2), Effect.fail("no" as const))
        assert.strictEqual(yield* Effect.flip(failed), "no")
        assert.strictEqual((yield* schedules.get(made.owner, made.id)).nextRunAt, at(1))
        yield* schedules.update(made.owner, made.id, { overlap: "allow" })
        assert.isTrue(Option.isNone(yield* settle(made, at(1), at(2))))
        const paused = yield* schedules.update(made.owner, made.id, { enabled: false })
        assert.isTrue(Option.isNone(yield* settle({ ...paused, nextRunAt: at(1) }, at(1), at(2))))
        yield* schedules.remove(made.owner, made.id)
        assert.isTrue(Option.isNone(yield* settle(paused, at(1), at(2))))
      })
    )

    test(
      "never gives a settled slot again: not when it is resumed, not when the clock is set back",
      Effect.gen(function* () {
        const schedules = yield* Schedules
        const made = yield* newSchedule(yield* userNamed("alice"))
        yield* TestClock.adjust("61 minutes")
        yield* settle(made, at(1), at(2))
        yield* TestClock.setTime(0)
        yield* schedules.update(made.owner, made.id, { enabled: false })
        const resumed = yield* schedules.update(made.owner, made.id, { enabled: true })
        assert.strictEqual(resumed.nextRunAt, at(2))
        const waiting = yield* Effect.fork(schedules.due)
        yield* TestClock.adjust("119 minutes")
        assert.isTrue(Option.isNone(yield* Fiber.poll(waiting)))
        yield* TestClock.adjust("1 minute")
        assert.lengthOf(yield* Fiber.join(waiting), 1)
      })
    )

    test(
      "forgets all but the newest thousand runs, and all of them with their schedule",
      Effect.gen(function* () {
        const schedules = yield* Schedules
        const made = yield* newSchedule(yield* userNamed("alice"))
        let schedule = made
        for (let hour = 1; hour <= runsKept + 5; hour++) {
          yield* settle(schedule, at(hour), at(hour + 1))
          schedule = { ...schedule, nextRunAt: at(hour + 1) }
        }
        const slots: Array<string> = []
        let cursor = Option.none<string>()
        do {
          const page = yield* schedules.runs(made.id, { limit: 200, cursor })
          slots.push(...page.items.map(({ slot }) => slot))
          cursor = Option.fromNullable(page.nextCursor)
        } while (Option.isSome(cursor))
        assert.deepStrictEqual(
          slots,
          Array.from({ length: runsKept }, (_, index) => at(runsKept + 5 - index))
        )
        yield* schedules.remove(made.owner, made.id)
        assert.lengthOf((yield* schedules.runs(made.id, all)).items, 0)
      })
    )
  })
}
