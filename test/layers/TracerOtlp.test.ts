/** Spans on their way to collectors that are well, and to those that are not. */
import { describe, expect, it } from "@effect/vitest"
import {
  Chunk,
  Duration,
  Effect,
  Exit,
  FiberRef,
  Layer,
  Logger,
  Option,
  Queue,
  Redacted,
  Scope,
  TestClock
} from "effect"
import type { ServerResponse } from "node:http"
import type { EncodedSpan } from "../../src/layers/otlp/OtlpSpan.ts"
import type { Delivery } from "../../src/layers/otlp/sendSpans.ts"
import * as SpanQueue from "../../src/layers/otlp/SpanQueue.ts"
import * as TracerOtlp from "../../src/layers/TracerOtlp.ts"
import { AppConfig } from "../../src/services/AppConfig.ts"
import { areExported, inSpan } from "../../src/services/traced.ts"
import { otlpReceiver } from "../support/otlpReceiver.ts"
import { settings } from "../support/settings.ts"

const tracing = (url: string, timeoutMs = 2000) => {
  const traces = { url: `${url}/v1/traces`, headers: Redacted.make({ "x-key": "hush" }), timeoutMs, resource: {} }
  return Layer.provide(TracerOtlp.layer, Layer.succeed(AppConfig, { ...settings, traces: Option.some(traces) }))
}

const logged = (lines: Array<string>) =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ logLevel, message }) => lines.push(`${logLevel.label} ${String(message)}`))
  )

const waitFor = (holds: () => boolean) =>
  Effect.repeat(Effect.delay(Effect.sync(holds), "20 millis"), { until: (held) => held })

const spans = (count: number) => Effect.replicateEffect(inSpan("work")(Effect.void), count, { discard: true })

describe("a collector that is well", () => {
  // Seen to fail without the loop that sends them: all of them come at the end.
  it.scopedLive("has each span soon after its end, and the last ones when the server has ended", () =>
    Effect.gen(function* () {
      const receiver = yield* otlpReceiver
      yield* Effect.gen(function* () {
        yield* inSpan("first")(Effect.void)
        yield* waitFor(() => receiver.spans.length === 1)
        yield* spans(2000)
        yield* inSpan("last")(Effect.void)
      }).pipe(inSpan("whole"), Effect.provide(tracing(receiver.url)))
      expect([...receiver.mistakes, ...receiver.inconsistencies]).toEqual([])
      expect(receiver.spans.map(({ name }) => name).filter((name) => name !== "work")).toEqual([
        "first",
        "last",
        "whole"
      ])
      expect(receiver.spans).toHaveLength(2003)
      expect(receiver.requests.every(({ url }) => url === "/v1/traces")).toBe(true)
    })
  )

  it.effect("is not needed: nothing is made then", () =>
    Effect.gen(function* () {
      const seen = yield* inSpan("work")(Effect.option(Effect.currentSpan))
      expect([seen, yield* FiberRef.get(areExported)]).toEqual([Option.none(), false])
    }).pipe(Effect.provide(Layer.provide(TracerOtlp.layer, Layer.succeed(AppConfig, settings))))
  )
})

type Answer = (response: ServerResponse) => void

const failing: ReadonlyArray<readonly [what: string, answer: Answer | "silent" | "away", problem: string]> = [
  ["is away", "away", "the collector can't be reached"],
  ["never answers", "silent", "the collector does not answer in time"],
  ["is busy", (response) => response.writeHead(503).end("hush"), "the collector answers 503"],
  ["knows no such route", (response) => response.writeHead(404).end("hush"), "the collector answers 404"],
  [
    "sends elsewhere",
    (response) => response.writeHead(307, { location: "/elsewhere" }).end(),
    "the collector answers 307"
  ],
  [
    "accepts a part",
    (response) => response.writeHead(200).end('{"partialSuccess":{"rejectedSpans":"3","errorMessage":"hush"}}'),
    "the collector accepts"
  ],
  [
    "answers without an end",
    (response) => {
      response.writeHead(503)
      const timer = setInterval(() => response.write("x".repeat(50_000)), 1)
      response.on("close", () => clearInterval(timer))
    },
    "the collector answers 503"
  ],
  ["hangs up", (response) => response.destroy(), "the collector can't be reached"]
]

describe("a collector that", () => {
  // Seen to fail without the time limit, without the limit of an answer's bytes, with redirects followed, and with a warning for each failure.
  it.scopedLive.each(failing)("%s harms nobody, and is told of once", ([, answer, problem]) =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const receiver = yield* otlpReceiver
      receiver.answering = answer === "away" ? "well" : answer
      const url = answer === "away" ? "http://127.0.0.1:1" : receiver.url
      const scope = yield* Scope.make()
      const [took, ended] = yield* Effect.gen(function* () {
        // The tracer and its switch hold for the fiber that has built the layer.
        yield* Layer.buildWithScope(tracing(url, 300), scope)
        yield* spans(600)
        yield* waitFor(() => lines.length > 0)
        const [took] = yield* Effect.timed(spans(6000))
        yield* Effect.sleep("1200 millis")
        const [ended] = yield* Effect.timed(Scope.close(scope, Exit.void))
        return [took, ended] as const
      }).pipe(Effect.provide(logged(lines)))
      expect(Duration.toMillis(took)).toBeLessThan(5000)
      expect(Duration.toMillis(ended)).toBeLessThan(3000)
      expect(lines[0]).toContain(`WARN Traces can't be delivered: ${problem}`)
      expect(lines.filter((line) => line.includes("can't be delivered"))).toHaveLength(1)
      expect(lines.join("\n")).not.toContain("hush")
      expect(receiver.mistakes).toEqual([])
      expect(receiver.requests.every(({ url }) => url === "/v1/traces")).toBe(true)
    })
  )
})

const encoded = (name: string): EncodedSpan => ({
  traceId: "1",
  spanId: "2",
  flags: 1,
  name,
  kind: 1,
  startTimeUnixNano: "1",
  endTimeUnixNano: "2",
  attributes: [],
  status: {}
})

describe("the queue of spans", () => {
  // Seen to fail without the capacity, and without `after`.
  it.scoped("keeps a bounded number of them, in order, until they can be sent", () =>
    Effect.gen(function* () {
      const answers = yield* Queue.unbounded<Delivery>()
      const asked: Array<ReadonlyArray<string>> = []
      const scope = yield* Scope.make()
      const push = yield* Scope.extend(
        SpanQueue.make((batch) => {
          asked.push(batch.map(({ name }) => name))
          return Queue.take(answers)
        }),
        scope
      )
      for (let number = 0; number < 5000; number++) push(encoded(String(number)))
      yield* Queue.offer(answers, { _tag: "Later", problem: "busy", after: Duration.seconds(30) })
      yield* TestClock.adjust("29 seconds")
      expect(asked).toHaveLength(1)
      yield* Queue.offerAll(
        answers,
        Chunk.makeBy(20, (): Delivery => ({ _tag: "Done", refused: 0, problem: "" }))
      )
      yield* TestClock.adjust("2 seconds")
      const [again, ...more] = asked.slice(1)
      expect(again).toEqual(asked[0])
      expect([again, ...more].flat()).toEqual(Array.from({ length: 4096 }, (_, number) => String(number)))
      expect(Math.max(...asked.map(({ length }) => length))).toBe(512)
      push(encoded("last"))
      yield* Scope.close(scope, Exit.void)
      expect(asked.at(-1)).toEqual(["last"])
    })
  )

  // Seen to fail with a look that goes on while there are any: a request for each span.
  it.scoped("sends what comes while it sends with the next look", () =>
    Effect.gen(function* () {
      const asked: Array<number> = []
      const push = yield* SpanQueue.make((batch) =>
        Effect.sync(() => {
          asked.push(batch.length)
          if (asked.length < 100) push(encoded("meanwhile"))
          return { _tag: "Done", refused: 0, problem: "" }
        })
      )
      push(encoded("first"))
      yield* TestClock.adjust("1 second")
      expect(asked.length).toBeLessThan(3)
      yield* TestClock.adjust("1 second")
      expect(asked.length).toBeLessThan(4)
    })
  )

  // Seen to fail without the limit of time at the end.
  it.scoped("holds up no end", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const push = yield* Scope.extend(
        SpanQueue.make(() => Effect.never),
        scope
      )
      push(encoded("one"))
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("2 seconds")
      expect(Exit.isSuccess(yield* closing.await)).toBe(true)
    })
  )
})
