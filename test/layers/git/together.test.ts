/** One turn after the other, shared by all who wait for it. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Ref } from "effect"
import { makeTogether } from "../../../src/layers/git/together.ts"

/** Work that tells which turn it was, and ends when it is let go. */
const makeWork = Effect.gen(function* () {
  const turns = yield* Ref.make(0)
  const ended = yield* Ref.make(0)
  const gates = [yield* Deferred.make<void>(), yield* Deferred.make<void>(), yield* Deferred.make<void>()]
  const work = Effect.gen(function* () {
    const turn = yield* Ref.getAndUpdate(turns, (count) => count + 1)
    yield* Deferred.await(gates[turn] ?? (yield* Deferred.make<void>()))
    return turn
  }).pipe(Effect.ensuring(Ref.update(ended, (count) => count + 1)))
  const letGo = (turn: number) =>
    Effect.forEach(gates.slice(turn, turn + 1), (gate) => Deferred.succeed(gate, undefined))
  return { ended, letGo, turns, work }
})

/** Everything that is ready has happened. */
const settled = Effect.repeatN(Effect.yieldNow(), 50)

describe("together", () => {
  it.scoped("eight who ask at once make two turns, and who asks during a turn gets the next", () =>
    Effect.gen(function* () {
      const { letGo, turns, work } = yield* makeWork
      const together = yield* makeTogether<number, never>()
      const first = yield* Effect.fork(together("a", work))
      yield* settled
      const others = yield* Effect.fork(
        Effect.all(
          Array.from({ length: 7 }, () => together("a", work)),
          { concurrency: "unbounded" }
        )
      )
      yield* settled
      assert.strictEqual(yield* Ref.get(turns), 1)
      yield* letGo(0)
      assert.strictEqual(yield* Fiber.join(first), 0)
      yield* settled
      const late = yield* Effect.fork(together("a", work))
      yield* settled
      yield* letGo(1)
      assert.deepStrictEqual(yield* Fiber.join(others), [1, 1, 1, 1, 1, 1, 1])
      yield* letGo(2)
      assert.strictEqual(yield* Fiber.join(late), 2)
    })
  )

  it.scoped("other keys have turns of their own", () =>
    Effect.gen(function* () {
      const { turns, work } = yield* makeWork
      const together = yield* makeTogether<number, never>()
      yield* Effect.fork(together("a", work))
      yield* Effect.fork(together("b", work))
      yield* settled
      assert.strictEqual(yield* Ref.get(turns), 2)
    })
  )

  it.scoped("a turn goes on while anybody waits for it, and ends when nobody does", () =>
    Effect.gen(function* () {
      const { ended, letGo, turns, work } = yield* makeWork
      const together = yield* makeTogether<number, never>()
      const first = yield* Effect.fork(together("a", work))
      yield* settled
      const second = yield* Effect.fork(together("a", work))
      const third = yield* Effect.fork(together("a", work))
      yield* settled
      yield* Fiber.interrupt(first)
      yield* settled
      assert.deepStrictEqual([yield* Ref.get(turns), yield* Ref.get(ended)], [2, 1])
      yield* Fiber.interrupt(second)
      yield* settled
      assert.strictEqual(yield* Ref.get(ended), 1)
      yield* letGo(1)
      assert.strictEqual(yield* Fiber.join(third), 1)
    })
  )

  it.scoped("a turn that all have left before it began does not begin", () =>
    Effect.gen(function* () {
      const { letGo, turns, work } = yield* makeWork
      const together = yield* makeTogether<number, never>()
      const first = yield* Effect.fork(together("a", work))
      yield* settled
      const second = yield* Effect.fork(together("a", work))
      yield* settled
      yield* Fiber.interrupt(second)
      yield* letGo(0)
      yield* Fiber.join(first)
      yield* settled
      assert.strictEqual(yield* Ref.get(turns), 1)
    })
  )

  it.scoped("who leaves at once is in nobody's way", () =>
    Effect.gen(function* () {
      const together = yield* makeTogether<number, never>()
      const first = yield* Effect.fork(together("a", Effect.never))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(first)
      const second = yield* Effect.fork(Effect.timeout(together("a", Effect.never), 0))
      yield* Fiber.interrupt(second)
      assert.strictEqual(yield* together("a", Effect.succeed(1)), 1)
    })
  )

  it.scoped("a failure is everybody's who waited for it, and nobody's who asks again", () =>
    Effect.gen(function* () {
      const together = yield* makeTogether<string, string>()
      const gate = yield* Deferred.make<void>()
      const failing = Effect.zipRight(Deferred.await(gate), Effect.fail("no"))
      const first = yield* Effect.fork(Effect.exit(together("a", failing)))
      yield* settled
      const others = yield* Effect.fork(
        Effect.all([Effect.exit(together("a", failing)), Effect.exit(together("a", failing))], { concurrency: 2 })
      )
      yield* settled
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* Fiber.join(first), Exit.fail("no"))
      assert.deepStrictEqual(yield* Fiber.join(others), [Exit.fail("no"), Exit.fail("no")])
      assert.strictEqual(yield* together("a", Effect.succeed("yes")), "yes")
    })
  )
})
