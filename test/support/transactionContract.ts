/** What every Transaction must do, told with events as what is written. */
import { assert, layer } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, FiberRef, type Layer, Ref } from "effect"
import { EventBus, type StreamName } from "../../src/services/EventBus.ts"
import { Transaction } from "../../src/services/Transaction.ts"
import { newStream, note } from "./someEvents.ts"

class Greeting extends Context.Tag("test/Greeting")<Greeting, string>() {}

const write = (stream: StreamName, text = "written") =>
  Effect.flatMap(EventBus, (bus) => bus.append(stream, [note(text)]))

const headOf = (stream: StreamName) => Effect.flatMap(EventBus, (bus) => bus.head(stream))

export const transactionContract = <E>(name: string, adapter: Layer.Layer<Transaction | EventBus, E>) =>
  layer(adapter)(name, (it) => {
    it.effect("keeps everything that a success wrote", () =>
      Effect.gen(function* () {
        const transaction = yield* Transaction
        const [one, two] = [newStream(), newStream()]
        const result = yield* transaction.run(Effect.as(Effect.zip(write(one), write(two)), "result"))
        assert.strictEqual(result, "result")
        assert.deepStrictEqual([yield* headOf(one), yield* headOf(two)], [1, 1])
      })
    )

    it.effect("keeps nothing of a failure, a defect or an interruption, and passes them on", () =>
      Effect.gen(function* () {
        const transaction = yield* Transaction
        const stream = newStream()
        const exits = yield* Effect.forEach(
          [Effect.fail("refused" as const), Effect.dieMessage("broken"), Effect.interrupt],
          (ending) => Effect.exit(transaction.run(Effect.zipRight(write(stream), ending)))
        )
        assert.deepStrictEqual(exits[0], Exit.fail("refused"))
        assert.isTrue(exits.slice(1).every(Exit.isFailure))
        assert.isTrue(Exit.isInterrupted(exits[2] ?? Exit.void))
        assert.strictEqual(yield* headOf(stream), 0)
      })
    )

    it.effect("takes a transaction inside as a part: its failure undoes the part, the whole undoes all", () =>
      Effect.gen(function* () {
        const transaction = yield* Transaction
        const [outer, inner, whole] = [newStream(), newStream(), newStream()]
        yield* transaction.run(
          Effect.gen(function* () {
            yield* write(outer)
            yield* Effect.ignore(transaction.run(Effect.zipRight(write(inner), Effect.fail("inner"))))
            yield* write(outer)
          })
        )
        assert.deepStrictEqual([yield* headOf(outer), yield* headOf(inner)], [2, 0])
        yield* Effect.ignore(transaction.run(Effect.zipRight(transaction.run(write(whole)), Effect.fail("outer"))))
        assert.strictEqual(yield* headOf(whole), 0)
      })
    )

    it.effect("sees its own writes, and nobody else does before the commit", () =>
      Effect.gen(function* () {
        const transaction = yield* Transaction
        const stream = newStream()
        const written = yield* Deferred.make<void>()
        const mayEnd = yield* Deferred.make<void>()
        const writer = yield* Effect.fork(
          transaction.run(
            Effect.gen(function* () {
              yield* write(stream)
              const inside = yield* headOf(stream)
              yield* Deferred.succeed(written, undefined)
              yield* Deferred.await(mayEnd)
              return inside
            })
          )
        )
        yield* Deferred.await(written)
        const reader = yield* Effect.fork(headOf(stream))
        yield* Effect.yieldNow()
        const early = yield* Fiber.poll(reader)
        yield* Deferred.succeed(mayEnd, undefined)
        assert.strictEqual(yield* Fiber.join(writer), 1)
        // A reader may see the state before, or wait for the state after; never what might still be undone.
        const seen = yield* Fiber.join(reader)
        assert.strictEqual(seen, early._tag === "Some" ? 0 : 1)
        assert.strictEqual(yield* headOf(stream), 1)
      })
    )

    it.effect("runs what follows the commit in order, once, and only then", () =>
      Effect.gen(function* () {
        const transaction = yield* Transaction
        const heard = yield* Ref.make<ReadonlyArray<string>>([])
        const say = (word: string) => transaction.afterCommit(Ref.update(heard, (words) => [...words, word]))
        yield* transaction.run(
          Effect.gen(function* () {
            yield* say("first")
            yield* Effect.ignore(transaction.run(Effect.zipRight(say("undone"), Effect.fail("part"))))
            yield* transaction.run(say("second"))
            yield* transaction.afterCommit(Effect.dieMessage("a hook that breaks"))
            yield* say("third")
            assert.deepStrictEqual(yield* Ref.get(heard), [])
          })
        )
        assert.deepStrictEqual(yield* Ref.get(heard), ["first", "second", "third"])
        yield* Effect.ignore(transaction.run(Effect.zipRight(say("never"), Effect.fail("whole"))))
        yield* say("at once")
        assert.deepStrictEqual(yield* Ref.get(heard), ["first", "second", "third", "at once"])
      })
    )

    it.effect("refuses to wait for a transaction after a commit, where it would wait for itself", () =>
      Effect.gen(function* () {
        const transaction = yield* Transaction
        const stream = newStream()
        const exit = yield* Deferred.make<Exit.Exit<unknown, unknown>>()
        yield* transaction.run(
          transaction.afterCommit(
            Effect.flatMap(Effect.exit(transaction.run(Effect.void)), (it) => Deferred.succeed(exit, it))
          )
        )
        assert.isTrue(Exit.isFailure(yield* Deferred.await(exit)))
        yield* write(stream)
        assert.strictEqual(yield* headOf(stream), 1)
      })
    )

    it.effect("runs with the services and the fiber's settings of its caller, several at once", () =>
      Effect.gen(function* () {
        const transaction = yield* Transaction
        const setting = FiberRef.unsafeMake("nobody")
        const seen = yield* Effect.forEach(
          ["a", "b", "c", "d", "e"],
          (name) =>
            transaction
              .run(Effect.zip(Greeting, FiberRef.get(setting)))
              .pipe(Effect.provideService(Greeting, `hello ${name}`), Effect.locally(setting, name)),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          seen,
          ["a", "b", "c", "d", "e"].map((name) => [`hello ${name}`, name])
        )
        assert.strictEqual(yield* transaction.run(FiberRef.get(setting)), "nobody")
      })
    )

    it.effect("keeps or drops each of many at once by itself", () =>
      Effect.gen(function* () {
        const transaction = yield* Transaction
        const streams = Array.from({ length: 100 }, newStream)
        yield* Effect.forEach(
          streams,
          (stream, index) =>
            Effect.ignore(
              transaction.run(
                Effect.zipRight(
                  Effect.zip(write(stream), write(stream)),
                  Effect.when(Effect.fail("every third"), () => index % 3 === 0)
                )
              )
            ),
          { concurrency: "unbounded" }
        )
        const heads = yield* Effect.forEach(streams, headOf)
        assert.deepStrictEqual(
          heads,
          streams.map((_, index) => (index % 3 === 0 ? 0 : 2))
        )
      })
    )

    it.effect("never begins for a caller who was interrupted while waiting", () =>
      Effect.gen(function* () {
        const transaction = yield* Transaction
        const stream = newStream()
        const begun = yield* Deferred.make<void>()
        const mayEnd = yield* Deferred.make<void>()
        const first = yield* Effect.fork(
          transaction.run(Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(mayEnd)))
        )
        yield* Deferred.await(begun)
        const second = yield* Effect.fork(transaction.run(write(stream)))
        yield* Effect.yieldNow()
        assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(second)))
        yield* Deferred.succeed(mayEnd, undefined)
        yield* Fiber.join(first)
        yield* transaction.run(Effect.void)
        assert.strictEqual(yield* headOf(stream), 0)
      })
    )

    it.effect("is whole or undone when its caller is interrupted in the middle", () =>
      Effect.gen(function* () {
        const transaction = yield* Transaction
        const stream = newStream()
        const half = yield* Deferred.make<void>()
        const goOn = yield* Deferred.make<void>()
        const caller = yield* Effect.fork(
          transaction.run(
            write(stream).pipe(
              Effect.zipRight(Deferred.succeed(half, undefined)),
              Effect.zipRight(Deferred.await(goOn)),
              Effect.zipRight(write(stream))
            )
          )
        )
        yield* Deferred.await(half)
        const interruption = yield* Effect.fork(Fiber.interrupt(caller))
        yield* Effect.yieldNow()
        yield* Deferred.succeed(goOn, undefined)
        yield* Fiber.join(interruption)
        assert.include([0, 2], yield* headOf(stream))
      })
    )

    it.scoped("is over for a fiber that was started inside and lives on", () =>
      Effect.gen(function* () {
        const transaction = yield* Transaction
        const stream = newStream()
        const over = yield* Deferred.make<void>()
        const scope = yield* Effect.scope
        const announced = yield* Ref.make(false)
        const ownTransaction = Effect.zipLeft(write(stream), transaction.afterCommit(Ref.set(announced, true)))
        const child = yield* transaction.run(
          Effect.forkIn(Effect.zipRight(Deferred.await(over), Effect.exit(transaction.run(ownTransaction))), scope)
        )
        yield* Deferred.succeed(over, undefined)
        assert.isTrue(Exit.isSuccess(yield* Fiber.join(child)))
        assert.isTrue(yield* Ref.get(announced))
        assert.strictEqual(yield* headOf(stream), 1)
      })
    )
  })
