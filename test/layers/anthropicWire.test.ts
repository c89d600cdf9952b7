import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Duration, Effect, FastCheck, Layer, Option, Schema } from "effect"
import { setTimeout as sleep } from "node:timers/promises"
import { fromRefusal, retryAfter } from "../../src/layers/anthropic/failure.ts"
import { SseParser } from "../../src/layers/anthropic/SseParser.ts"
import { toolInput } from "../../src/layers/anthropic/toolInput.ts"
import * as ClaudeClientAnthropic from "../../src/layers/ClaudeClientAnthropic.ts"
import { ClaudeClient, type TurnEvent } from "../../src/services/ClaudeClient.ts"
import { listen, requestOf, responseIn, user } from "../support/claudeClientContract.ts"
import { type Answer, rawServer } from "../support/rawServer.ts"
import { modelSettings } from "../support/settings.ts"

const silenceMs = 1_000

/** What the client hears of a server that answers like this. */
const hear = (answer: Answer, silenceMs = 30_000) =>
  Effect.flatMap(rawServer(answer), (url) =>
    Effect.provide(
      listen(requestOf(user("Go"))),
      Layer.provide(ClaudeClientAnthropic.layer, modelSettings({ baseUrl: Option.some(url), silenceMs }))
    )
  ).pipe(Effect.scoped)

/** A server that answers with these events. */
const tell =
  (...events: ReadonlyArray<unknown>): Answer =>
  (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.end(events.map(frame).join(""))
  }

const frame = (event: unknown): string => (typeof event === "string" ? event : `data: ${JSON.stringify(event)}\n\n`)

const start = {
  type: "message_start",
  message: { id: "msg_1", model: "claude-x", usage: { input_tokens: 10, output_tokens: 1, cache_read_input_tokens: 5 } }
}
const block = (index: number, content_block: unknown) => ({ type: "content_block_start", index, content_block })
const delta = (index: number, delta: unknown) => ({ type: "content_block_delta", index, delta })
const stop = (index: number) => ({ type: "content_block_stop", index })
const end = (stop_reason: unknown, usage: unknown = { output_tokens: 7 }) => ({
  type: "message_delta",
  delta: { stop_reason },
  usage
})
const whole = [block(0, { type: "text", text: "" }), delta(0, { type: "text_delta", text: "Hi" }), stop(0)]
const done = { type: "message_stop" }

/** What an answer costs when this comes with its end. */
const countedAfter = (usage: unknown) =>
  Effect.map(hear(tell(start, ...whole, end("end_turn", usage), done)), (events) => responseIn(events).tokens)

const call = (id: string, input: unknown) => ({ type: "tool_use", id, name: "t", input })

describe("The Messages API's stream", () => {
  it.live("is understood where it holds what a later version may bring", () =>
    Effect.gen(function* () {
      const response = responseIn(
        yield* hear(
          tell(
            ": a comment\n\n",
            'event: ping\ndata: {"type": "ping"}\n\n',
            { type: "weather_report", sunny: true },
            start,
            block(0, { type: "hologram", shape: "cat" }),
            delta(0, { type: "hologram_delta", angle: 3 }),
            stop(0),
            block(1, { type: "text", text: "He" }),
            delta(1, { type: "citations_delta", citation: {} }),
            delta(1, { type: "text_delta", text: "llo" }),
            stop(1),
            end("bored"),
            done
          )
        )
      )
      assert.deepStrictEqual(response.content, [{ type: "text", text: "Hello" }])
      assert.strictEqual(response.stopReason, "other")
    })
  )

  it.live("counts totals: a later one replaces, a missing one leaves", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* countedAfter({ output_tokens: 7, input_tokens: null, cache_creation_input_tokens: 3 }),
        {
          inputTokens: 10,
          outputTokens: 7,
          cacheReadTokens: 5,
          cacheWriteTokens: 3
        }
      )
      assert.deepStrictEqual((yield* countedAfter({ output_tokens: 7, input_tokens: 12 })).inputTokens, 12)
      assert.deepStrictEqual((yield* countedAfter(null)).outputTokens, 1)
    })
  )

  it.live("may give a tool's input with the block itself, or none at all", () =>
    Effect.gen(function* () {
      const response = responseIn(
        yield* hear(
          tell(start, block(0, call("a", { x: 1 })), stop(0), block(1, call("b", {})), stop(1), end("tool_use"), done)
        )
      )
      assert.deepStrictEqual(
        response.content.map((content) => (content.type === "tool_use" ? content.input : null)),
        [{ x: 1 }, {}]
      )
      assert.deepStrictEqual(response.malformedInputs, [])
      const cut = responseIn(yield* hear(tell(start, block(0, call("a", {})), stop(0), end("max_tokens"), done)))
      assert.deepStrictEqual(cut.malformedInputs, [{ toolCallId: "a", text: "" }])
    })
  )

  it.live("keeps hidden thinking", () =>
    Effect.gen(function* () {
      const response = responseIn(
        yield* hear(
          tell(
            start,
            block(0, { type: "thinking", thinking: "", signature: "" }),
            delta(0, { type: "signature_delta", signature: "abc" }),
            stop(0),
            block(1, { type: "redacted_thinking", data: "xyz" }),
            stop(1),
            end("end_turn"),
            done
          )
        )
      )
      assert.deepStrictEqual(response.content, [
        { type: "thinking", thinking: "", signature: "abc" },
        { type: "redacted_thinking", data: "xyz" }
      ])
    })
  )

  const broken: ReadonlyArray<readonly [string, Answer, string]> = [
    ["an answer that is no stream", (response) => response.end("<html>Hello</html>"), "malformed"],
    ["an empty stream", tell(), "cut"],
    ["an end without an end of the message", tell(start, ...whole, end("end_turn")), "cut"],
    ["an end before the beginning", tell(done), "malformed"],
    ["a block that goes on before it began", tell(start, delta(3, { type: "text_delta", text: "x" })), "malformed"],
    ["an event without its parts", tell(start, { type: "content_block_delta", index: 0 }), "malformed"],
    [
      "a tool call without an id",
      tell(start, block(0, { type: "tool_use", id: "", name: "t", input: {} })),
      "malformed"
    ],
    ["an error at once", tell('event: error\ndata: {"error": {"type": "overloaded_error"}}\n\n'), "error_event"],
    ["an error in no format at all", tell(start, "event: error\ndata: oops\n\n"), "error_event"],
    ["JSON that is nothing", tell(start, "data: null\n\n"), "malformed"],
    ["an event without end", tell(start, `data: ${"x".repeat(5_000_000)}`), "malformed"]
  ]
  for (const [what, answer, reason] of broken) {
    it.live(`is broken by ${what}`, () =>
      Effect.map(Effect.flip(hear(answer)), (failure) =>
        assert.strictEqual(failure._tag === "ClaudeStreamBroken" ? failure.reason : failure._tag, reason)
      )
    )
  }

  it.live("is not silent while it gives any sign of life", () =>
    Effect.gen(function* () {
      const events = yield* hear((response) => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        const slowly = async () => {
          for (const part of [start, ": ping\n", "event: ping\ndata: {}\n\n", ...whole, "\n", end("end_turn"), done]) {
            response.write(frame(part))
            await sleep(silenceMs / 4)
          }
        }
        void slowly()
      }, silenceMs)
      assert.strictEqual(responseIn(events).stopReason, "end_turn")
    })
  )

  it.live("is over with the end of the message, also when the connection stays", () =>
    Effect.gen(function* () {
      const [taken, events] = yield* Effect.timed(
        hear((response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.write([start, ...whole, end("end_turn"), done].map(frame).join(""))
        })
      )
      assert.strictEqual(responseIn(events).stopReason, "end_turn")
      assert.isBelow(Duration.toMillis(taken), 1_000)
    })
  )

  it.live("hands texts over in batches, the first one at once", () =>
    Effect.gen(function* () {
      const told: Array<TurnEvent> = []
      const word = frame(delta(0, { type: "text_delta", text: "word " }))
      const url = yield* rawServer((response) => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        const drip = async () => {
          response.write(frame(start) + frame(whole[0]) + word)
          while (told.length === 0) await sleep(1)
          for (let count = 1; count < 100; count++) {
            response.write(word)
            await sleep(3)
          }
          response.end([stop(0), end("end_turn"), done].map(frame).join(""))
        }
        void drip()
      })
      const layer = Layer.provide(ClaudeClientAnthropic.layer, modelSettings({ baseUrl: Option.some(url) }))
      const client = yield* Effect.provide(ClaudeClient, layer)
      const [taken] = yield* Effect.timed(client.turn(requestOf(user("Go")), (event) => void told.push(event)))
      assert.deepStrictEqual(told[0], { _tag: "TextDelta", block: 0, text: "word " })
      assert.isAbove(told.length, 3)
      // Beside the first and the last one, each 25 ms; a timer counts in whole milliseconds and may be early by one.
      assert.isAtMost(told.length, Duration.toMillis(taken) / 24 + 2)
    }).pipe(Effect.scoped)
  )
})

const parse = (pieces: ReadonlyArray<string>) => {
  const events: Array<readonly [string, string]> = []
  const parser = new SseParser(1_000_000, (name, data) => events.push([name, data]))
  for (const piece of pieces) assert.isTrue(parser.feed(piece))
  return events
}

const cutAnywhere = (text: string, cuts: ReadonlyArray<number>) => {
  const places = [0, ...cuts.map((cut) => cut % (text.length + 1)).toSorted((a, b) => a - b), text.length]
  return places.slice(1).map((end, index) => text.slice(places[index], end))
}

describe("SseParser", () => {
  const line = FastCheck.stringMatching(/^[a-zåäö :"{}]*$/)
  const events = FastCheck.array(
    FastCheck.tuple(FastCheck.stringMatching(/^[a-z_]+$/), FastCheck.array(line, { minLength: 1 }))
  )

  it.prop(
    "gives the same events wherever the text is cut, and with every kind of line end",
    [
      events,
      FastCheck.constantFrom("\n", "\r\n", "\r"),
      Arbitrary.make(Schema.Array(Schema.Int.pipe(Schema.between(0, 10_000))))
    ],
    ([told, lineEnd, cuts]) => {
      const lines = told.flatMap(([name, data]) => [
        `event: ${name}`,
        ...data.map((text) => `data: ${text}`),
        ": comment",
        ""
      ])
      const text = lines.map((each) => each + lineEnd).join("")
      assert.deepStrictEqual(
        parse(cutAnywhere(text, cuts)),
        // A single \r at the very end may be the first half of a line end.
        told.map(([name, data]) => [name, data.join("\n")] as const).slice(0, lineEnd === "\r" ? -1 : undefined)
      )
    }
  )

  it("takes fields with and without a space, and passes over what it does not know", () => {
    assert.deepStrictEqual(parse(["id: 1\nretry: 5\nnonsense\ndata:x\ndata: y\n\ndata\n\n\n"]), [["", "x\ny"]])
  })

  it("refuses an event that is too long, in one line or in many", () => {
    for (const piece of ["data: xxxxxxxxxx", "data: xxxxxxxxxx\n"]) {
      const parser = new SseParser(100, () => {})
      assert.isFalse(Array.from({ length: 20 }, () => parser.feed(piece)).every(Boolean))
    }
  })

  it("takes time in proportion to the length, in one packet as in many", () => {
    const text = 'event: content_block_delta\ndata: {"type":"content_block_delta","index":0}\n\n'.repeat(20_000)
    const before = performance.now()
    assert.strictEqual(parse([text]).length, 20_000)
    assert.isBelow(performance.now() - before, 2_000)
  })
})

describe("The API's refusals", () => {
  const now = Date.parse("2026-11-20T12:00:00Z")
  const waits: ReadonlyArray<readonly [string | null, number | null]> = [
    [null, null],
    ["", null],
    ["7", 7_000],
    ["0.5", 500],
    ["0", 0],
    ["-3", 0],
    ["Fri, 20 Nov 2026 12:01:30 GMT", 90_000],
    ["Fri, 20 Nov 2026 11:00:00 GMT", 0],
    ["soon", null],
    ["99999999999", 86_400_000],
    ["Infinity", 86_400_000]
  ]
  for (const [header, expected] of waits) {
    it(`name a time to wait: ${header}`, () => {
      const headers = new Headers(header === null ? {} : { "retry-after": header })
      assert.strictEqual(retryAfter(headers, now), expected)
    })
  }

  it("are never repeated at any length", () => {
    const refusal = { status: 400, type: null, code: null, message: "x".repeat(100_000), retryAfterMs: null }
    assert.isBelow(fromRefusal(refusal).message.length, 3_000)
  })
})

describe("A tool's input", () => {
  it("keeps nothing that no request may carry", () => {
    assert.deepStrictEqual(toolInput('{"a": ["half \\ud83e", "whole \\ud83e\\udd90"]}', {}), {
      a: ["half \ufffd", "whole 🦐"]
    })
  })

  it("takes an input that is nested without end for no input at all", () => {
    const [shallow, deep, endless] = [50, 200, 5_000].map(
      (levels) => `{"a": ${"[".repeat(levels)}${"]".repeat(levels)}}`
    )
    assert.isDefined(toolInput(shallow ?? "", {}))
    assert.isUndefined(toolInput(deep ?? "", {}))
    assert.isUndefined(toolInput(endless ?? "", {}))
  })
})
