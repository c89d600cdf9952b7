/** What every ClaudeClient must do, told in scripts. */
import { assert, describe, it } from "@effect/vitest"
import { Chunk, Duration, Effect, Fiber, type Layer, Stream } from "effect"
import type { ScriptSource } from "../../src/layers/scripted/Script.ts"
import { ClaudeClient, type Response, type TurnMessage, type TurnRequest } from "../../src/services/ClaudeClient.ts"
import { ToolCallId } from "../../src/services/Ids.ts"
import { type Told, turnOf } from "./turnOf.ts"

/** How long a silence is borne: by tests that wait for one, and by all others, whatever the machine is busy with. */
const shortSilenceMs = 700
const longSilenceMs = 30_000

export const user = (text: string): TurnMessage => ({ role: "user", content: [{ type: "text", text }] })

export const toolResult = (id: string, content: string, is_error = false): TurnMessage => ({
  role: "user",
  content: [{ type: "tool_result", tool_use_id: ToolCallId.make(id), content, is_error }]
})

export const assistant = (response: Response): TurnMessage => ({ role: "assistant", content: response.content })

export const requestOf = (...messages: ReadonlyArray<TurnMessage>): TurnRequest => ({
  model: "claude-test",
  system: [{ text: "You do errands.", cache: false }],
  tools: [
    {
      name: "run_command",
      description: "Runs a command.",
      inputSchema: { type: "object", properties: { command: { type: "string" } }, required: ["command"] }
    }
  ],
  messages,
  cacheAfter: [],
  maxTokens: 4_096
})

/** All that one turn tells. */
export const listen = (request: TurnRequest) =>
  Effect.flatMap(ClaudeClient, (client) =>
    Effect.map(Stream.runCollect(turnOf(client, request)), Chunk.toReadonlyArray)
  )

export const responseIn = (events: ReadonlyArray<Told>): Response => {
  const last = events.at(-1)
  if (last?._tag !== "Finished") throw new Error("the turn did not finish")
  return last.response
}

export const ask = (...messages: ReadonlyArray<TurnMessage>) => Effect.map(listen(requestOf(...messages)), responseIn)

const textIn = (events: ReadonlyArray<Told>) =>
  events.flatMap((event) => (event._tag === "TextDelta" ? [event.text] : [])).join("")

const oneStep = (step: ScriptSource["scenarios"][0]["steps"][0]): ScriptSource => ({
  scenarios: [{ name: "only", steps: [step] }]
})

const longText = 'Räksmörgås 🦐 \n"quoted" \\ and so on. '.repeat(50)

/** A client that plays a script and bears a silence of so many milliseconds. */
type LayerOf = (script: ScriptSource, silenceMs: number) => Layer.Layer<ClaudeClient>

export const claudeClientContract = (name: string, layerOf: LayerOf) => {
  /** A live test: what is told of silence and speed is told in real time. */
  const test = (
    title: string,
    script: ScriptSource,
    body: Effect.Effect<unknown, unknown, ClaudeClient>,
    silenceMs = longSilenceMs
  ) => it.live(title, () => Effect.provide(body, layerOf(script, silenceMs)))

  describe(`ClaudeClient: ${name}`, () => {
    test(
      "tells the text as it is written, and the whole answer once, at the end",
      oneStep({ text: longText, charactersPerSecond: 20_000 }),
      Effect.gen(function* () {
        const events = yield* listen(requestOf(user("Go")))
        const response = responseIn(events)
        assert.strictEqual(textIn(events), longText)
        assert.isAtLeast(events.length, 3)
        assert.strictEqual(events.filter((event) => event._tag === "Finished").length, 1)
        assert.deepStrictEqual(response.content, [{ type: "text", text: longText }])
        assert.strictEqual(response.stopReason, "end_turn")
        assert.isAbove(response.tokens.inputTokens, 0)
        assert.isAbove(response.tokens.outputTokens, 0)
        assert.notStrictEqual(response.id, (yield* ask(user("Go"))).id)
      })
    )

    test(
      "gives every tool call of an answer, with its input",
      oneStep({
        text: "Both.",
        tools: [
          { name: "run_command", input: { command: "ls", deep: { list: [1, "two", null, true] } } },
          { name: "read_file", input: {} }
        ]
      }),
      Effect.gen(function* () {
        const events = yield* listen(requestOf(user("Go")))
        const response = responseIn(events)
        const calls = response.content.flatMap((block) => (block.type === "tool_use" ? [block] : []))
        assert.deepStrictEqual(
          calls.map(({ input, name }) => ({ input, name })),
          [
            { name: "run_command", input: { command: "ls", deep: { list: [1, "two", null, true] } } },
            { name: "read_file", input: {} }
          ]
        )
        assert.strictEqual(new Set(calls.map((call) => call.id)).size, 2)
        assert.deepStrictEqual(
          events.flatMap((event) => (event._tag === "ToolCallStarted" ? [[event.block, event.name]] : [])),
          [
            [1, "run_command"],
            [2, "read_file"]
          ]
        )
        assert.strictEqual(response.stopReason, "tool_use")
        assert.deepStrictEqual(response.malformedInputs, [])
      })
    )

    test(
      "goes on from the results of tools",
      {
        scenarios: [
          {
            name: "test",
            match: "fix",
            steps: [
              { tools: [{ name: "run_command", input: { command: "npm test" } }] },
              {
                when: { toolResult: { regexp: "not ok \\d+ (?<failing>.*)" } },
                text: "{{failing}} fails.",
                tools: [{ name: "run_command", input: { command: "grep '{{failing}}'" } }]
              },
              { text: "Done with {{failing}}." }
            ]
          }
        ]
      },
      Effect.gen(function* () {
        const first = yield* ask(user("fix it"))
        const second = yield* ask(
          user("fix it"),
          assistant(first),
          toolResult(callIn(first), "ok 1 a\nnot ok 2 adds numbers")
        )
        assert.deepStrictEqual(
          second.content.map((block) => (block.type === "tool_use" ? block.input : undefined)),
          [undefined, { command: "grep 'adds numbers'" }]
        )
        const third = yield* ask(
          user("fix it"),
          assistant(first),
          toolResult(callIn(first), "ok 1 a\nnot ok 2 adds numbers"),
          assistant(second),
          toolResult(callIn(second), "", true)
        )
        assert.deepStrictEqual(third.content, [{ type: "text", text: "Done with adds numbers." }])
      })
    )

    for (const stop of [
      "max_tokens",
      "stop_sequence",
      "pause_turn",
      "refusal",
      "model_context_window_exceeded"
    ] as const) {
      test(
        `gives the stop reason ${stop}`,
        oneStep({ text: "So far", stop }),
        Effect.map(ask(user("Go")), (response) => assert.strictEqual(response.stopReason, stop))
      )
    }

    test(
      "takes a stop reason that it does not know as other",
      oneStep({ text: "So far", stop: "other" }),
      Effect.map(ask(user("Go")), (response) => assert.strictEqual(response.stopReason, "other"))
    )

    test(
      "gives back thinking whole, with its signature, and takes it in the next request",
      {
        scenarios: [
          { name: "only", steps: [{ thinking: longText, tools: [{ name: "run_command" }] }, { text: "Yes." }] }
        ]
      },
      Effect.gen(function* () {
        const first = yield* ask(user("Go"))
        const [thought] = first.content
        assert.strictEqual(thought?.type === "thinking" ? thought.thinking : "", longText)
        assert.isAbove(thought?.type === "thinking" ? thought.signature.length : 0, 0)
        const second = yield* ask(user("Go"), assistant(first), toolResult(callIn(first), "fine"))
        assert.deepStrictEqual(second.content, [{ type: "text", text: "Yes." }])
      })
    )

    for (const rawInput of ['{"command": "rm -rf', "[1]", '"text"', "nonsense"]) {
      test(
        `tells of a tool input that is not a JSON object: ${rawInput}`,
        oneStep({ tools: [{ name: "run_command", rawInput }] }),
        Effect.map(ask(user("Go")), (response) => {
          const id = callIn(response)
          assert.deepStrictEqual(response.malformedInputs, [{ toolCallId: id, text: rawInput }])
          assert.deepStrictEqual(response.content, [
            { type: "tool_use", id: ToolCallId.make(id), name: "run_command", input: {} }
          ])
        })
      )
    }

    test(
      "breaks off at max_tokens, in the middle of a tool input too",
      oneStep({ tools: [{ name: "run_command", input: { command: "x".repeat(1_000) } }] }),
      Effect.gen(function* () {
        const response = responseIn(yield* listen({ ...requestOf(user("Go")), maxTokens: 100 }))
        assert.strictEqual(response.stopReason, "max_tokens")
        assert.strictEqual(response.malformedInputs[0]?.toolCallId, callIn(response))
        assert.isAtMost(response.tokens.outputTokens, 100)
      })
    )

    test(
      "leaves out empty texts, which no request may carry",
      oneStep({ text: " ", tools: [{ name: "run_command" }] }),
      Effect.map(ask(user("Go")), (response) =>
        assert.deepStrictEqual(
          response.content.map((block) => block.type),
          ["tool_use"]
        )
      )
    )

    test(
      "counts what the script says that it costs",
      oneStep({ text: "Yes.", tokens: { input: 10, output: 20, cacheRead: 30, cacheWrite: 40 } }),
      Effect.map(ask(user("Go")), (response) =>
        assert.deepStrictEqual(response.tokens, {
          inputTokens: 10,
          outputTokens: 20,
          cacheReadTokens: 30,
          cacheWriteTokens: 40
        })
      )
    )

    test(
      "fails with the time to wait when there are too many requests, and answers the same request later",
      oneStep({
        text: "Yes.",
        faults: [
          { fault: "http", status: 429, retryAfterSeconds: 7, message: "Slow down" },
          { fault: "http", status: 429, code: "enforced_spend_limit_reached" }
        ]
      }),
      Effect.gen(function* () {
        const first = yield* Effect.flip(ask(user("Go")))
        assert.deepInclude(first, {
          _tag: "ClaudeRateLimited",
          retryAfterMs: 7_000,
          spendLimit: false,
          detail: "Slow down"
        })
        const second = yield* Effect.flip(ask(user("Go")))
        assert.deepInclude(second, { _tag: "ClaudeRateLimited", retryAfterMs: null, spendLimit: true })
        assert.strictEqual((yield* ask(user("Go"))).stopReason, "end_turn")
      })
    )

    test(
      "fails as unavailable when the API or the way to it is broken",
      oneStep({
        text: "Yes.",
        faults: [
          { fault: "http", status: 529, message: "Overloaded" },
          { fault: "http", status: 500, times: 2, retryAfterSeconds: 1 },
          { fault: "http", status: 408 },
          { fault: "http", status: 409 },
          { fault: "bad_gateway" },
          { fault: "reset" },
          { fault: "no_answer" }
        ]
      }),
      Effect.gen(function* () {
        const expected = [
          { status: 529, retryAfterMs: null, detail: "Overloaded" },
          { status: 500, retryAfterMs: 1_000 },
          { status: 500, retryAfterMs: 1_000 },
          { status: 408, retryAfterMs: null },
          { status: 409, retryAfterMs: null },
          { status: 502, retryAfterMs: null },
          { status: null, retryAfterMs: null },
          { status: null, retryAfterMs: null }
        ]
        for (const failure of expected) {
          assert.deepInclude(yield* Effect.flip(ask(user("Go"))), { _tag: "ClaudeUnavailable", ...failure })
        }
        assert.strictEqual((yield* ask(user("Go"))).stopReason, "end_turn")
      }),
      shortSilenceMs
    )

    test(
      "fails for good, in the API's own words, where no retry helps",
      oneStep({
        text: "Yes.",
        faults: [400, 401, 402, 403, 404, 413, 422].map((status) => ({
          fault: "http" as const,
          status,
          type: "some_error",
          message: `No ${status}`
        }))
      }),
      Effect.gen(function* () {
        for (const status of [400, 401, 402, 403, 404, 413, 422]) {
          assert.deepInclude(yield* Effect.flip(ask(user("Go"))), {
            _tag: "ClaudeRejected",
            status,
            type: "some_error",
            detail: `No ${status}`
          })
        }
      })
    )

    for (const [fault, reason] of [
      ["cut", "cut"],
      ["early_end", "cut"],
      ["silence", "silent"],
      ["malformed", "malformed"],
      ["error_event", "error_event"]
    ] as const) {
      test(
        `tells that an answer broke off (${fault}), and what it has cost`,
        oneStep({
          text: "A long answer.",
          tokens: { input: 100, output: 50, cacheRead: 7, cacheWrite: 9 },
          faults: [{ fault, after: 6 }, { fault }]
        }),
        Effect.gen(function* () {
          const client = yield* ClaudeClient
          const heard: Array<Told> = []
          const broken = yield* turnOf(client, requestOf(user("Go"))).pipe(
            Stream.runForEach((event) => Effect.sync(() => heard.push(event))),
            Effect.flip
          )
          assert.strictEqual(textIn(heard), "A long")
          assert.notInclude(
            heard.map((event) => event._tag),
            "Finished"
          )
          assert.deepInclude(broken, { _tag: "ClaudeStreamBroken", reason })
          const partial = broken._tag === "ClaudeStreamBroken" ? broken.partial : null
          assert.deepStrictEqual(partial?.tokens, {
            inputTokens: 100,
            outputTokens: 1,
            cacheReadTokens: 7,
            cacheWriteTokens: 9
          })
          assert.deepInclude(yield* Effect.flip(ask(user("Go"))), { _tag: "ClaudeStreamBroken", reason })
          assert.deepStrictEqual((yield* ask(user("Go"))).content, [{ type: "text", text: "A long answer." }])
        }),
        fault === "silence" ? shortSilenceMs : longSilenceMs
      )
    }

    for (const fault of ["no_answer", "silence"] as const) {
      test(
        `is interrupted at once while nothing comes (${fault})`,
        oneStep({ text: "A long answer.", faults: [{ fault, times: "always" }] }),
        Effect.gen(function* () {
          const fiber = yield* Effect.fork(ask(user("Go")))
          yield* Effect.sleep("100 millis")
          const [taken] = yield* Effect.timed(Fiber.interrupt(fiber))
          assert.isBelow(Duration.toMillis(taken), 100)
        })
      )
    }

    test(
      "refuses a prompt that no scenario is for",
      { scenarios: [{ name: "one", match: "this", steps: [{ text: "Yes." }] }] },
      Effect.map(Effect.flip(ask(user("that"))), (failure) =>
        assert.deepInclude(failure, { _tag: "ClaudeRejected", status: 400, type: "invalid_request_error" })
      )
    )
  })
}

export const callIn = (response: Response): string =>
  response.content.flatMap((block) => (block.type === "tool_use" ? [block.id] : []))[0] ?? ""
