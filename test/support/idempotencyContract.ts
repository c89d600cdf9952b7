import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer, Ref, TestClock } from "effect"
import { Accounts } from "../../src/services/Accounts.ts"
import { Idempotency, type RecordedAnswer } from "../../src/services/Idempotency.ts"

const created: RecordedAnswer = {
  status: 201,
  headers: { location: "/api/v1/tasks/1", "content-type": "application/json" },
  body: `{"title":"ü \\u0000 \\ud83d"}`
}

const userNamed = (login: string) =>
  Effect.flatMap(Accounts, (accounts) =>
    Effect.map(accounts.createToken(login, { name: "phone", scopes: [] }), ({ user }) => user.id)
  )

/** An effect that counts how often it was run. */
const counted = Effect.map(Ref.make(0), (count) => ({
  count: Ref.get(count),
  effect: Effect.as(
    Ref.update(count, (before) => before + 1),
    created
  )
}))

/** What every Idempotency must do. */
export const idempotencyContract = <E>(name: string, layer: Layer.Layer<Idempotency | Accounts, E>) => {
  const test = (title: string, body: Effect.Effect<void, unknown, Idempotency | Accounts>) =>
    it.effect(title, () => Effect.provide(body, layer))

  describe(name, () => {
    test(
      "gives the first answer again, byte for byte, without a second effect",
      Effect.gen(function* () {
        const { once } = yield* Idempotency
        const request = { owner: yield* userNamed("alice"), key: "k", fingerprint: "f" }
        const { count, effect } = yield* counted
        assert.deepStrictEqual(yield* once(request, effect), { answer: created, replayed: false })
        assert.deepStrictEqual(yield* once(request, effect), { answer: created, replayed: true })
        assert.strictEqual(yield* count, 1)
      })
    )

    test(
      "has one effect for a hundred requests at the same time",
      Effect.gen(function* () {
        const { once } = yield* Idempotency
        const request = { owner: yield* userNamed("alice"), key: "k", fingerprint: "f" }
        const { count, effect } = yield* counted
        const answers = yield* Effect.all(
          Array.from({ length: 100 }, () => once(request, effect)),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(yield* count, 1)
        assert.lengthOf(
          answers.filter(({ replayed }) => !replayed),
          1
        )
        for (const { answer } of answers) assert.deepStrictEqual(answer, created)
      })
    )

    test(
      "refuses a key that was used for another request",
      Effect.gen(function* () {
        const { once } = yield* Idempotency
        const owner = yield* userNamed("alice")
        const { count, effect } = yield* counted
        yield* once({ owner, key: "k", fingerprint: "f" }, effect)
        const refusal = yield* Effect.flip(once({ owner, key: "k", fingerprint: "other" }, effect))
        assert.strictEqual(refusal._tag, "IdempotencyConflict")
        assert.strictEqual(yield* count, 1)
      })
    )

    test(
      "keeps the keys of users apart",
      Effect.gen(function* () {
        const { once } = yield* Idempotency
        const { count, effect } = yield* counted
        yield* once({ owner: yield* userNamed("alice"), key: "k", fingerprint: "f" }, effect)
        const { replayed } = yield* once({ owner: yield* userNamed("bob"), key: "k", fingerprint: "f" }, effect)
        assert.isFalse(replayed)
        assert.strictEqual(yield* count, 2)
      })
    )

    test(
      "records no failure: the same request may succeed later",
      Effect.gen(function* () {
        const { once } = yield* Idempotency
        const request = { owner: yield* userNamed("alice"), key: "k", fingerprint: "f" }
        assert.strictEqual(yield* Effect.flip(once(request, Effect.fail("no"))), "no")
        assert.strictEqual((yield* Effect.exit(once(request, Effect.die("bug"))))._tag, "Failure")
        assert.isFalse((yield* once(request, Effect.succeed(created))).replayed)
      })
    )

    test(
      "keeps answers for 48 hours, and forgets them soon after",
      Effect.gen(function* () {
        const { once } = yield* Idempotency
        const owner = yield* userNamed("alice")
        const early = { owner, key: "early", fingerprint: "f" }
        const late = { owner, key: "late", fingerprint: "f" }
        yield* once(early, Effect.succeed(created))
        yield* TestClock.adjust("24 hours")
        yield* once(late, Effect.succeed(created))
        yield* TestClock.adjust("24 hours")
        assert.isTrue((yield* once(early, Effect.succeed(created))).replayed)
        yield* TestClock.adjust("2 hours")
        assert.isFalse((yield* once(early, Effect.succeed(created))).replayed)
        assert.isTrue((yield* once(late, Effect.succeed(created))).replayed)
      })
    )
  })
}
