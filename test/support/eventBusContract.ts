/** What every EventBus must do. */
import { assert, layer } from "@effect/vitest"
import { Chunk, Deferred, Effect, Exit, Fiber, type Layer, Random, Scope, Stream } from "effect"
import { EventBus, type News, type StoredEvent, type StreamName } from "../../src/services/EventBus.ts"
import { Transaction } from "../../src/services/Transaction.ts"
import { newStream, note, textOf } from "./someEvents.ts"

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)
const seqs = (events: Iterable<StoredEvent>) => Array.from(events, (event) => event.seq)

/** Everything that a listener hears of one stream, for as long as the scope is open. */
const hearing = Effect.fnUntraced(function* (stream: StreamName) {
  const bus = yield* EventBus
  const heard: Array<StoredEvent> = []
  yield* bus.listen((news) => {
    if (news._tag === "Events") heard.push(...news.events.filter((event) => event.stream === stream))
  })
  return heard
})

export const eventBusContract = <E>(name: string, adapter: Layer.Layer<Transaction | EventBus, E>) =>
  layer(adapter)(name, (it) => {
    it.effect("numbers the events of each stream from 1, without gaps", () =>
      Effect.gen(function* () {
        const bus = yield* EventBus
        const [one, two] = [newStream(), newStream()]
        assert.strictEqual(yield* bus.head(one), 0)
        const first = yield* bus.append(one, [note("a"), note("b")])
        yield* bus.append(two, [note("x")])
        const second = yield* bus.append(one, [note("c")])
        assert.deepStrictEqual(yield* bus.append(one, []), [])
        assert.deepStrictEqual([seqs(first), seqs(second)], [[1, 2], [3]])
        assert.deepStrictEqual([yield* bus.head(one), yield* bus.head(two)], [3, 1])
        assert.deepStrictEqual(yield* bus.read(one, 0, 10), [...first, ...second])
      })
    )

    it.effect("reads after a number, at most so many", () =>
      Effect.gen(function* () {
        const bus = yield* EventBus
        const stream = newStream()
        yield* bus.append(
          stream,
          range(1, 10).map((n) => note(`${n}`))
        )
        assert.deepStrictEqual(seqs(yield* bus.read(stream, 0, 3)), [1, 2, 3])
        assert.deepStrictEqual(seqs(yield* bus.read(stream, 8, 3)), [9, 10])
        assert.deepStrictEqual(yield* bus.read(stream, 10, 3), [])
        assert.deepStrictEqual(yield* bus.read(newStream(), 0, 3), [])
      })
    )

    it.effect("gives every event back as it was, whatever its text", () =>
      Effect.gen(function* () {
        const bus = yield* EventBus
        const stream = newStream()
        const texts = ["", "'; DROP TABLE events; --", "naïve 𝄞 \u0000 \u2028", "x".repeat(100_000)]
        yield* bus.append(stream, texts.map(note))
        const events = yield* bus.read(stream, 0, 10)
        assert.deepStrictEqual(
          events.map(({ event }) => event),
          texts.map(note)
        )
      })
    )

    it.effect("has one name for its log", () =>
      Effect.gen(function* () {
        const bus = yield* EventBus
        assert.strictEqual(yield* bus.epoch, yield* bus.epoch)
        assert.isAbove((yield* bus.epoch).length, 0)
      })
    )

    it.scoped("stays gapless under 50 writers of whom some fail, and tells listeners the same in order", () =>
      Effect.gen(function* () {
        const bus = yield* EventBus
        const transaction = yield* Transaction
        const stream = newStream()
        const heard = yield* hearing(stream)
        yield* Effect.forEach(
          range(1, 50),
          (writer) =>
            Effect.forEach(
              range(1, 8),
              (round) => {
                const events = range(1, 1 + (writer % 3)).map((n) => note(`${writer}.${round}.${n}`))
                return bus
                  .append(stream, events)
                  .pipe(
                    Effect.zipRight(Effect.when(Effect.fail("undo"), () => (writer + round) % 4 === 0)),
                    transaction.run,
                    Effect.ignore,
                    Effect.zipRight(Effect.yieldNow())
                  )
              },
              { discard: true }
            ),
          { concurrency: "unbounded", discard: true }
        )
        const stored = yield* bus.read(stream, 0, 10_000)
        const kept = range(1, 50).flatMap((writer) =>
          range(1, 8).flatMap((round) => ((writer + round) % 4 === 0 ? [] : range(1, 1 + (writer % 3))))
        )
        assert.deepStrictEqual(seqs(stored), range(1, kept.length))
        assert.strictEqual(new Set(stored.map(({ event }) => textOf(event))).size, kept.length)
        assert.deepStrictEqual(heard, [...stored])
        assert.strictEqual(yield* bus.head(stream), kept.length)
      })
    )

    it.scoped("tells listeners after the commit, never of what was undone", () =>
      Effect.gen(function* () {
        const bus = yield* EventBus
        const transaction = yield* Transaction
        const stream = newStream()
        const heard = yield* hearing(stream)
        yield* transaction.run(
          Effect.gen(function* () {
            yield* bus.append(stream, [note("kept")])
            assert.deepStrictEqual(heard, [])
          })
        )
        yield* Effect.ignore(
          transaction.run(Effect.zipRight(bus.append(stream, [note("undone")]), Effect.fail("refused")))
        )
        const next = yield* bus.append(stream, [note("next")])
        assert.deepStrictEqual(seqs(next), [2])
        assert.deepStrictEqual(
          heard.map(({ event }) => textOf(event)),
          ["kept", "next"]
        )
      })
    )

    it.effect("tells a listener nothing once its scope is closed", () =>
      Effect.gen(function* () {
        const bus = yield* EventBus
        const stream = newStream()
        const scope = yield* Scope.make()
        const heard = yield* Scope.extend(hearing(stream), scope)
        yield* bus.append(stream, [note("one")])
        yield* Scope.close(scope, Exit.void)
        yield* bus.append(stream, [note("two")])
        assert.deepStrictEqual(seqs(heard), [1])
      })
    )

    it.scoped("shows previews to listeners and stores none", () =>
      Effect.gen(function* () {
        const bus = yield* EventBus
        const stream = newStream()
        const heard: Array<News> = []
        yield* bus.listen((news) => heard.push(news))
        const preview = { stream, item: "msg", offset: 0, text: "half a w" }
        bus.preview(preview)
        assert.deepStrictEqual(heard, [{ _tag: "Preview", preview }])
        assert.strictEqual(yield* bus.head(stream), 0)
      })
    )

    it.effect("lets followers who join at any moment see each event once, in order", () =>
      Effect.gen(function* () {
        const bus = yield* EventBus
        const stream = newStream()
        const total = 600
        const write = Effect.forEach(
          range(1, 6),
          () => Effect.forEach(range(1, 50), () => bus.append(stream, [note("a"), note("b")]), { discard: true }),
          { concurrency: "unbounded", discard: true }
        )
        const follower = Effect.gen(function* () {
          const pauses = yield* Random.nextIntBetween(0, 400)
          yield* Effect.repeatN(Effect.yieldNow(), pauses)
          const after = yield* Random.nextIntBetween(0, (yield* bus.head(stream)) + 1)
          const seen = yield* bus.follow(stream, after).pipe(Stream.take(total - after), Stream.runCollect)
          assert.deepStrictEqual(seqs(seen), range(after + 1, total))
        })
        const followers = yield* Effect.fork(
          Effect.all(
            range(1, 40).map(() => follower),
            { concurrency: "unbounded" }
          )
        )
        yield* write
        yield* Fiber.join(followers)
      })
    )

    it.effect("goes on with a follower after a transaction that was undone", () =>
      Effect.gen(function* () {
        const bus = yield* EventBus
        const transaction = yield* Transaction
        const stream = newStream()
        const started = yield* Deferred.make<void>()
        yield* bus.append(stream, [note("before")])
        const follower = yield* bus.follow(stream, 0).pipe(
          Stream.tap(() => Deferred.succeed(started, undefined)),
          Stream.take(2),
          Stream.runCollect,
          Effect.fork
        )
        yield* Deferred.await(started)
        yield* Effect.ignore(transaction.run(Effect.zipRight(bus.append(stream, [note("undone")]), Effect.fail("no"))))
        yield* bus.append(stream, [note("after")])
        const seen = Chunk.toReadonlyArray(yield* Fiber.join(follower))
        assert.deepStrictEqual(
          seen.map(({ event, seq }) => [seq, textOf(event)]),
          [
            [1, "before"],
            [2, "after"]
          ]
        )
      })
    )

    it.effect("removes a stream with everything in it, and no other", () =>
      Effect.gen(function* () {
        const bus = yield* EventBus
        const [one, two] = [newStream(), newStream()]
        yield* bus.append(one, [note("a")])
        yield* bus.append(two, [note("b")])
        yield* bus.remove(one)
        assert.deepStrictEqual(yield* bus.read(one, 0, 10), [])
        assert.deepStrictEqual([yield* bus.head(one), yield* bus.head(two)], [0, 1])
      })
    )
  })
