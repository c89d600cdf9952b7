import { assert, describe, it } from "@effect/vitest"
import { Chunk, Duration, Effect, Exit, Fiber, Layer, Option, Redacted, Stream } from "effect"
import * as ClaudeClientAnthropic from "../../src/layers/ClaudeClientAnthropic.ts"
import type { ScriptSource } from "../../src/layers/scripted/Script.ts"
import { ClaudeClient, type Response, type TurnMessage, type TurnRequest } from "../../src/services/ClaudeClient.ts"
import { ToolCallId } from "../../src/services/Ids.ts"
import { assistant, callIn, listen, requestOf, responseIn, toolResult, user } from "../support/claudeClientContract.ts"
import { turnOf } from "../support/turnOf.ts"
import { type MessagesApi, messagesApi } from "../support/messagesApi.ts"
import { modelSettings } from "../support/settings.ts"

const clientAt = (url: string, silenceMs = 10_000) =>
  Layer.provide(ClaudeClientAnthropic.layer, modelSettings({ baseUrl: Option.some(url), silenceMs }))

/** A live test of the adapter on an API that plays `script`. */
const test = (
  title: string,
  script: ScriptSource,
  body: (api: MessagesApi) => Effect.Effect<unknown, unknown, ClaudeClient>
) =>
  it.scopedLive(title, () =>
    Effect.gen(function* () {
      const api = yield* messagesApi({ script, apiKey: "sk-test", minimumCacheTokens: 1 })
      return yield* Effect.provide(body(api), clientAt(api.url))
    })
  )

const text: ScriptSource = { scenarios: [{ name: "text", steps: [{ text: "Hello, world." }] }] }
const calls: ScriptSource = {
  scenarios: [
    {
      name: "calls",
      steps: [{ name: "again", tools: [{ name: "run_command", input: { command: "{{turn}}" } }], goto: "again" }]
    }
  ]
}

const askFor = (request: TurnRequest) => Effect.map(listen(request), responseIn)

/** Asks turn after turn, answering each tool call, and gives the last request and all answers. */
const converse = (turns: number, requestFor: (messages: ReadonlyArray<TurnMessage>) => TurnRequest) =>
  Effect.gen(function* () {
    const messages: Array<TurnMessage> = [user("Go")]
    const responses: Array<Response> = []
    for (let turn = 1; turn <= turns; turn++) {
      const response = yield* askFor(requestFor(messages))
      responses.push(response)
      messages.push(assistant(response), toolResult(callIn(response), `result ${turn} ${"x".repeat(400)}`))
    }
    return responses
  })

const withMarkers = (messages: ReadonlyArray<TurnMessage>): TurnRequest => ({
  ...requestOf(...messages),
  system: [
    { text: "Common to all tasks.", cache: true },
    { text: "Of this task.", cache: false }
  ],
  cacheAfter: messages.flatMap(({ role }, index) => (role === "user" ? [index] : [])).slice(-2)
})

const withoutMarkers = (messages: ReadonlyArray<TurnMessage>): TurnRequest => ({ ...requestOf(...messages) })

const unmarked = (body: string): string => body.replaceAll(',"cache_control":{"type":"ephemeral"}', "")

describe("ClaudeClientAnthropic: what it asks", () => {
  test("puts every part where the API looks for it, and markers exactly where it is told", text, (api) =>
    Effect.gen(function* () {
      const id = ToolCallId.make("toolu_1")
      const thinking = { type: "redacted_thinking", data: "xyz" } as const
      yield* askFor({
        ...requestOf(
          user("Go"),
          {
            role: "assistant",
            content: [{ type: "tool_use", id, name: "run_command", input: { b: 1, a: [2] } }, thinking]
          },
          {
            role: "user",
            content: [
              { type: "tool_result", tool_use_id: id, content: "", is_error: true },
              { type: "text", text: "and this" }
            ]
          }
        ),
        system: [
          { text: "Common.", cache: true },
          { text: "Own.", cache: false }
        ],
        cacheAfter: [1, 2]
      }).pipe(Effect.exit)
      assert.strictEqual(
        api.requests[0]?.body,
        `{"model":"claude-test","stream":true,"tools":[{"name":"run_command","description":"Runs a command.","input_schema":` +
          `{"type":"object","properties":{"command":{"type":"string"}},"required":["command"]}}],` +
          `"system":[{"type":"text","text":"Common.","cache_control":{"type":"ephemeral"}},{"type":"text","text":"Own."}],` +
          `"messages":[{"role":"user","content":[{"type":"text","text":"Go"}]},` +
          `{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"run_command","input":{"b":1,"a":[2]},` +
          `"cache_control":{"type":"ephemeral"}},{"type":"redacted_thinking","data":"xyz"}]},` +
          `{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"(no output)","is_error":true},` +
          `{"type":"text","text":"and this","cache_control":{"type":"ephemeral"}}]}],"max_tokens":4096}`
      )
      assert.include(api.requests[0]?.headers, {
        authorization: "Bearer sk-test",
        "anthropic-version": "2026-10-21",
        "content-type": "application/json"
      })
      assert.notProperty(api.requests[0]?.headers, "x-api-key")
    })
  )

  test("repeats the bytes of earlier turns, markers aside", calls, (api) =>
    Effect.gen(function* () {
      yield* converse(6, withMarkers)
      const bodies = api.requests.map(({ body }) => unmarked(body))
      for (const [index, body] of bodies.slice(1).entries()) {
        const before = bodies[index]?.replace(/\],"max_tokens":4096\}$/, "") ?? "nothing"
        assert.isTrue(body.startsWith(before), `turn ${index + 2}`)
      }
    })
  )

  test("reads with markers what it wrote the turn before, and nothing without", calls, (api) =>
    Effect.gen(function* () {
      const cached = yield* converse(5, withMarkers)
      for (const [index, { tokens }] of cached.slice(1).entries()) {
        const before = cached[index]?.tokens
        assert.strictEqual(tokens.cacheReadTokens, (before?.cacheReadTokens ?? 0) + (before?.cacheWriteTokens ?? 0))
        assert.isAbove(tokens.cacheWriteTokens, 0)
        assert.strictEqual(tokens.inputTokens, 0)
      }
      const uncached = yield* converse(2, withoutMarkers)
      assert.isTrue(uncached.every(({ tokens }) => tokens.cacheReadTokens + tokens.cacheWriteTokens === 0))
      assert.deepStrictEqual(
        api.requests.map(({ usage }) => usage),
        [...cached, ...uncached].map(({ tokens }) => tokens)
      )
    })
  )

  test("shares the common part of the prompt with other tasks", calls, () =>
    Effect.gen(function* () {
      const first = yield* askFor(withMarkers([user("One task")]))
      const second = yield* askFor(withMarkers([user("Another task")]))
      assert.strictEqual(first.tokens.cacheReadTokens, 0)
      assert.isAbove(second.tokens.cacheReadTokens, 0)
    })
  )
})

describe("ClaudeClientAnthropic: where it asks, and as whom", () => {
  it.scopedLive("takes key and address from the settings, whatever the SDK's own variables say", () =>
    Effect.gen(function* () {
      const ambient = {
        ANTHROPIC_API_KEY: "sk-ambient",
        ANTHROPIC_AUTH_TOKEN: "ambient",
        ANTHROPIC_BASE_URL: "http://127.0.0.1:1",
        ANTHROPIC_CUSTOM_HEADERS: "authorization: Bearer ambient\nX-Api-Key: ambient",
        ANTHROPIC_LOG: "debug"
      }
      const before = { ...process.env }
      yield* Effect.acquireRelease(
        Effect.sync(() => Object.assign(process.env, ambient)),
        () =>
          Effect.sync(() => {
            for (const name of Object.keys(ambient)) delete process.env[name]
            Object.assign(process.env, before)
          })
      )
      const api = yield* messagesApi({ script: text, apiKey: "sk-test" })
      const response = yield* Effect.provide(askFor(requestOf(user("Go"))), clientAt(api.url))
      assert.strictEqual(response.stopReason, "end_turn")
      assert.strictEqual(api.requests[0]?.headers.authorization, "Bearer sk-test")
      assert.notProperty(api.requests[0]?.headers, "x-api-key")
    })
  )

  it.scopedLive("is not configured without a key, and says what to set", () =>
    Effect.gen(function* () {
      const client = yield* ClaudeClient
      assert.isFalse(yield* client.configured)
      const failure = yield* Effect.flip(Stream.runDrain(turnOf(client, requestOf(user("Go")))))
      assert.deepInclude(failure, { _tag: "ClaudeRejected", status: 401 })
      assert.include(failure.message, "ANTHROPIC_API_KEY")
    }).pipe(Effect.provide(Layer.provide(ClaudeClientAnthropic.layer, modelSettings({ apiKey: Option.none() }))))
  )

  it.scopedLive(
    "tells of a key that the API does not know in the API's words, and of a broken one without the key",
    () =>
      Effect.gen(function* () {
        const api = yield* messagesApi({ script: text, apiKey: "another" })
        const asked = (key: string) =>
          Layer.provide(
            ClaudeClientAnthropic.layer,
            modelSettings({ baseUrl: Option.some(api.url), apiKey: Option.some(Redacted.make(key)) })
          )
        const unknown = yield* Effect.flip(Effect.provide(askFor(requestOf(user("Go"))), asked("sk-wrong")))
        assert.deepInclude(unknown, { _tag: "ClaudeRejected", status: 401, type: "authentication_error" })
        const broken = yield* Effect.flip(Effect.provide(askFor(requestOf(user("Go"))), asked("sk-secret\nx")))
        assert.notInclude(JSON.stringify(broken), "secret")
      })
  )

  it.scopedLive("tells that nobody is there", () =>
    Effect.gen(function* () {
      const failure = yield* Effect.flip(Effect.provide(askFor(requestOf(user("Go"))), clientAt("http://127.0.0.1:9")))
      assert.deepInclude(failure, { _tag: "ClaudeUnavailable", status: null })
      assert.include(failure.message, "can't be reached")
    })
  )

  test("keeps one connection for many turns, and never asks twice by itself", calls, (api) =>
    Effect.gen(function* () {
      yield* converse(10, withMarkers)
      assert.strictEqual(api.requests.length, 10)
      assert.isAtMost(api.connections(), 2)
    })
  )
})

describe("ClaudeClientAnthropic: what breaks", () => {
  const long: ScriptSource = {
    scenarios: [
      {
        name: "long",
        steps: [{ thinking: "Hm 🦐. ".repeat(5), text: "Räksmörgås. ".repeat(20), tools: [{ name: "run_command" }] }]
      }
    ]
  }

  test("gives all or tells that it is broken, wherever the connection is cut", long, (api) =>
    Effect.gen(function* () {
      const whole = yield* listen(requestOf(user("Go")))
      for (let bytes = 1; bytes < 12_000; bytes += 1 + Math.floor(Math.random() * 400)) {
        api.cutNextAfter(bytes)
        const client = yield* ClaudeClient
        const heard = yield* Stream.runCollect(Stream.either(turnOf(client, requestOf(user("Go")))))
        const last = Option.getOrUndefined(Chunk.last(heard))
        const served = api.requests.at(-1)
        if (last?._tag === "Right") {
          assert.strictEqual(last.right._tag, "Finished", `cut after ${bytes}`)
          assert.strictEqual(served?.outcome, "answered")
          assert.deepStrictEqual(responseIn([last.right]).content.length, responseIn(whole).content.length)
        } else {
          assert.deepInclude(last?.left, { _tag: "ClaudeStreamBroken", reason: "cut" }, `cut after ${bytes}`)
          const partial = last?.left._tag === "ClaudeStreamBroken" ? last.left.partial : undefined
          assert.deepStrictEqual(partial?.tokens.outputTokens ?? 0, served?.usage.outputTokens, `cut after ${bytes}`)
          assert.strictEqual(partial?.responseId ?? null, partial === null ? null : served?.answerId)
        }
      }
    })
  )

  const neverEnds: ScriptSource = {
    scenarios: [{ name: "never ends", steps: [{ text: "word ".repeat(10_000), charactersPerSecond: 500 }] }]
  }

  const hangs: ScriptSource = {
    scenarios: [
      {
        name: "before",
        match: "no_answer",
        steps: [{ text: "Well", faults: [{ fault: "no_answer", times: "always" }] }]
      },
      { name: "within", steps: [{ text: "Well", faults: [{ fault: "silence", after: 2, times: "always" }] }] }
    ]
  }

  for (const [how, script] of [
    ["no_answer", hangs],
    ["silence", hangs],
    ["writing", neverEnds]
  ] as const) {
    test(`lets go of the API at once when it is interrupted (${how})`, script, (api) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(askFor(requestOf(user(how))))
        yield* Effect.sleep("150 millis")
        const [taken, exit] = yield* Effect.timed(Fiber.interrupt(fiber))
        assert.isTrue(Exit.isInterrupted(exit))
        assert.isBelow(Duration.toMillis(taken), 100)
        yield* Effect.repeat(Effect.sleep("1 millis"), { until: () => api.requests[0]?.outcome !== "pending" })
        assert.strictEqual(api.requests[0]?.outcome, "abandoned")
      })
    )
  }

  test("lets go of the API when its listener has heard enough", neverEnds, (api) =>
    Effect.gen(function* () {
      const client = yield* ClaudeClient
      yield* Stream.runDrain(Stream.take(turnOf(client, requestOf(user("Go"))), 3))
      yield* Effect.repeat(Effect.sleep("1 millis"), { until: () => api.requests[0]?.outcome !== "pending" })
      assert.strictEqual(api.requests[0]?.outcome, "abandoned")
    })
  )
})
