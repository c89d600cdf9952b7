import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, TestClock } from "effect"
import * as ClaudeClientScripted from "../../src/layers/ClaudeClientScripted.ts"
import { playScript } from "../../src/layers/scripted/playScript.ts"
import { decodeScript, type ScriptSource } from "../../src/layers/scripted/Script.ts"
import { writeAnswer } from "../../src/layers/scripted/ScriptedAnswer.ts"
import type { Response, TurnMessage } from "../../src/services/ClaudeClient.ts"
import { ToolCallId } from "../../src/services/Ids.ts"
import {
  ask,
  assistant,
  callIn,
  listen,
  requestOf,
  responseIn,
  toolResult,
  user
} from "../support/claudeClientContract.ts"

type Steps = ScriptSource["scenarios"][0]["steps"]

const stepsOf = (...steps: Steps): ScriptSource => ({ scenarios: [{ name: "only", steps }] })

const textOf = (response: Response) =>
  response.content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("")

const inputOf = (response: Response) =>
  response.content.flatMap((block) => (block.type === "tool_use" ? [block.input] : []))[0]

/**
 * Plays a whole conversation: each result answers the tool call of the answer before, or follows as a message of the
 * user. Every turn is asked of a new client, as after a restart.
 */
const converse = (script: ScriptSource, prompt: string, replies: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const messages: Array<TurnMessage> = [user(prompt)]
    const responses: Array<Response> = []
    for (const reply of [...replies, undefined]) {
      const response = yield* Effect.provide(ask(...messages), ClaudeClientScripted.layerWith(script))
      responses.push(response)
      if (reply === undefined) break
      const call = callIn(response)
      messages.push(assistant(response), call === "" ? user(reply) : toolResult(call, reply))
    }
    return responses
  })

const run = { name: "run_command", input: { command: "npm test" } }

describe("Script: which answer comes", () => {
  it.effect("chooses a scenario by the prompt: the first that matches, or else the one without match", () =>
    Effect.gen(function* () {
      const script: ScriptSource = {
        scenarios: [
          { name: "default", steps: [{ text: "default" }] },
          { name: "text", match: "fix (it)", steps: [{ text: "text" }] },
          {
            name: "regexp",
            match: { regexp: "FIX (?<what>\\w+)", flags: "i" },
            steps: [{ text: "{{what}} in {{prompt}}" }]
          }
        ]
      }
      const answer = (prompt: string) =>
        Effect.map(converse(script, prompt, []), ([response]) => response && textOf(response))
      assert.strictEqual(yield* answer("please fix (it)"), "text")
      assert.strictEqual(yield* answer("please fix tests"), "tests in please fix tests")
      assert.strictEqual(yield* answer("something else"), "default")
    })
  )

  it.effect("plays steps in order and says when there are no more", () =>
    Effect.gen(function* () {
      const responses = yield* converse(stepsOf({ text: "one", tools: [run] }, { text: "two" }), "Go", [
        "ok",
        "more",
        "still more"
      ])
      assert.deepStrictEqual(responses.slice(0, 2).map(textOf), ["one", "two"])
      for (const response of responses.slice(2)) {
        assert.include(textOf(response), "no further step")
        assert.strictEqual(response.stopReason, "end_turn")
      }
    })
  )

  it.effect("leaves out steps whose conditions do not hold, and keeps what they captured", () =>
    Effect.gen(function* () {
      const script = stepsOf(
        { tools: [run] },
        {
          when: { tool: "run_command", isError: false, toolResult: { regexp: "^not ok \\d+ (?<name>.*)$" } },
          text: "failed: {{name}}",
          tools: [run]
        },
        { unless: { toolResult: "all good" }, text: "not yet", tools: [run] },
        { text: "end of {{name}}" }
      )
      assert.deepStrictEqual((yield* converse(script, "Go", ["x\nnot ok 3 adds\ny", "all good"])).map(textOf), [
        "",
        "failed: adds",
        "end of adds"
      ])
      assert.deepStrictEqual((yield* converse(script, "Go", ["ok", "ok"])).map(textOf), [
        "",
        "not yet",
        "end of {{name}}"
      ])
    })
  )

  it.effect("looks for all that a condition says in one and the same result", () =>
    Effect.gen(function* () {
      const script = stepsOf(
        { tools: [run, { name: "read_file", input: {} }] },
        { when: { tool: "read_file", toolResult: "yes" }, text: "read" },
        { when: { isError: true, toolResult: "yes" }, text: "error" },
        { text: "neither" }
      )
      const [first] = yield* converse(script, "Go", [])
      const [command = "", file = ""] = (first?.content ?? []).flatMap((block) =>
        block.type === "tool_use" ? [block.id] : []
      )
      const after = (ofCommand: readonly [string, boolean], ofFile: readonly [string, boolean]) =>
        Effect.map(
          Effect.provide(
            ask(
              user("Go"),
              { role: "assistant", content: first?.content ?? [] },
              {
                role: "user",
                content: [toolResult(command, ...ofCommand), toolResult(file, ...ofFile)].flatMap(
                  ({ content }) => content
                )
              }
            ),
            ClaudeClientScripted.layerWith(script)
          ),
          textOf
        )
      assert.strictEqual(yield* after(["no", false], ["yes", false]), "read")
      assert.strictEqual(yield* after(["yes", true], ["no", false]), "error")
      assert.strictEqual(yield* after(["yes", false], ["no", true]), "neither")
    })
  )

  it.effect("goes back, a number of times or for as long as a condition holds", () =>
    Effect.gen(function* () {
      const counted = stepsOf(
        { name: "a", text: "a{{visit}}", tools: [run] },
        { text: "b", tools: [run], goto: [{ step: "a", times: 2 }] },
        { text: "end, answer {{turn}}" }
      )
      const words = (yield* converse(
        counted,
        "Go",
        Array.from({ length: 6 }, () => "ok")
      )).map(textOf)
      assert.deepStrictEqual(words, ["a1", "b", "a2", "b", "a3", "b", "end, answer 7"])
      const waiting = stepsOf(
        {
          name: "look",
          text: "look",
          tools: [run],
          goto: [{ step: "done", when: { toolResult: "ready" } }, { step: "look" }]
        },
        { text: "never" },
        { name: "done", text: "done" }
      )
      const seen = (yield* converse(waiting, "Go", ["wait", "wait", "ready"])).map(textOf)
      assert.deepStrictEqual(seen, ["look", "look", "look", "done"])
    })
  )

  it.effect("fills names in, wherever they stand in an input, and leaves other braces alone", () =>
    Effect.gen(function* () {
      const [response] = yield* converse(
        stepsOf({
          tools: [
            {
              name: "write_file",
              input: { deep: [{ text: "{{ message }} {{turn}} {{title}} {{toString}}" }], count: 3 }
            }
          ]
        }),
        "Say {{turn}}",
        []
      )
      assert.deepStrictEqual(response && inputOf(response), {
        deep: [{ text: "Say {{turn}} 1 {{title}} {{toString}}" }],
        count: 3
      })
    })
  )

  it.effect("answers a follow-up of the user, by what the user says", () =>
    Effect.gen(function* () {
      const script = stepsOf(
        { text: "done" },
        { when: { user: { regexp: "rename it to (?<name>\\w+)" } }, text: "now {{name}}" },
        { text: "what?" }
      )
      assert.deepStrictEqual((yield* converse(script, "Go", ["please rename it to foo"])).map(textOf), [
        "done",
        "now foo"
      ])
      assert.deepStrictEqual((yield* converse(script, "Go", ["thanks"])).map(textOf), ["done", "what?"])
    })
  )

  it.effect("answers asides without moving on", () =>
    Effect.gen(function* () {
      const script: ScriptSource = {
        ...stepsOf({ text: "one", tools: [run] }, { text: "two" }),
        asides: [{ when: { user: "Sum up" }, text: "So far: {{prompt}}" }]
      }
      const client = ClaudeClientScripted.layerWith(script)
      const first = yield* Effect.provide(ask(user("Go")), client)
      const conversation = [user("Go"), assistant(first), toolResult(callIn(first), "ok")]
      const aside = yield* Effect.provide(ask(...conversation, user("Sum up, please")), client)
      assert.strictEqual(textOf(aside), "So far: Go")
      assert.strictEqual(textOf(yield* Effect.provide(ask(...conversation), client)), "two")
      const afterwards = [...conversation, user("Sum up, please"), assistant(aside), user("Go on")]
      assert.strictEqual(textOf(yield* Effect.provide(ask(...afterwards), client)), "two")
    })
  )

  it.effect("finds its place in a conversation whose beginning is gone", () =>
    Effect.gen(function* () {
      const script: ScriptSource = {
        scenarios: [
          { name: "other", steps: [{ text: "other" }] },
          {
            name: "long",
            match: "long",
            steps: [{ name: "a", text: "a{{visit}}", tools: [run], goto: [{ step: "a", times: 2 }] }, { text: "end" }]
          }
        ],
        asides: [{ when: { user: "Sum up" }, text: "We did things. {{place}}" }]
      }
      const client = ClaudeClientScripted.layerWith(script)
      const [, second] = yield* converse(script, "a long task", ["ok"])
      if (second === undefined) throw new Error("no second answer")
      const result = toolResult(callIn(second), "ok")
      const cut = yield* Effect.provide(ask(user("(earlier messages left out)"), assistant(second), result), client)
      assert.strictEqual(textOf(cut), "a3")
      const summary = yield* Effect.provide(ask(user("a long task"), assistant(second), result, user("Sum up")), client)
      const resumed = yield* Effect.provide(ask(user(textOf(summary))), client)
      assert.strictEqual(textOf(resumed), "a3")
    })
  )

  it.effect("gives tool calls new ids each time, as for a conversation that was rewound", () =>
    Effect.gen(function* () {
      const [first] = yield* converse(stepsOf({ tools: [run] }), "Go", [])
      const [again] = yield* converse(stepsOf({ tools: [run] }), "Go", [])
      assert.notStrictEqual(first && callIn(first), again && callIn(again))
    })
  )

  it.effect("depends on nothing but script and conversation", () =>
    Effect.gen(function* () {
      const script = yield* decodeScript(stepsOf({ name: "a", text: "{{visit}}", tools: [run], goto: "a" }))
      const messages: Array<TurnMessage> = [user("Go")]
      for (let turn = 1; turn <= 200; turn++) {
        const play = playScript(script, messages)
        assert.deepStrictEqual(playScript(script, structuredClone(messages)), play)
        assert.strictEqual(Option.getOrThrow(play).variables["visit"], String(turn))
        const id = ToolCallId.make(`call_${turn}`)
        messages.push({ role: "assistant", content: [{ type: "tool_use", id, name: "run_command", input: {} }] })
        messages.push(toolResult(id, "ok"))
      }
    })
  )
})

/** Four attempts at the same request: the text of the answer, or the status of the failure. */
const attempts = (prompt: string) =>
  Effect.all(
    Array.from({ length: 4 }, () =>
      ask(user(prompt)).pipe(
        Effect.map(textOf),
        Effect.catchTag("ClaudeUnavailable", (error) => Effect.succeed(String(error.status)))
      )
    )
  )

describe("Script: how it is told", () => {
  it.effect("waits, and types as fast as it is told to", () =>
    Effect.gen(function* () {
      const script = stepsOf({ text: "x".repeat(100), delayMs: 1_000, charactersPerSecond: 100 })
      const fiber = yield* Effect.fork(
        Effect.provide(listen(requestOf(user("Go"))), ClaudeClientScripted.layerWith(script))
      )
      yield* TestClock.adjust("1900 millis")
      assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
      yield* TestClock.adjust("200 millis")
      const events = yield* Fiber.join(fiber)
      assert.isAbove(events.length, 10)
      assert.strictEqual(responseIn(events).model, "scripted")
    })
  )

  it.effect("gives every fault its turns, for each request anew", () =>
    Effect.gen(function* () {
      const script = stepsOf({
        text: "fine",
        faults: [
          { fault: "http", status: 529, times: 2 },
          { fault: "http", status: 500 }
        ]
      })
      const both = Effect.all([attempts("one"), attempts("two")])
      const [one, two] = yield* Effect.provide(both, ClaudeClientScripted.layerWith(script))
      assert.deepStrictEqual(one, ["529", "529", "500", "fine"])
      assert.deepStrictEqual(two, one)
    })
  )

  it.effect("stops at max_tokens", () =>
    Effect.gen(function* () {
      const script = yield* decodeScript(stepsOf({ text: "0123456789".repeat(10) }))
      const answer = writeAnswer(Option.getOrThrow(playScript(script, [user("Go")])), {
        model: "m",
        maxTokens: 5,
        tokens: { inputTokens: 1, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 },
        unique: "u",
        sign: () => ""
      })
      assert.deepStrictEqual(answer.blocks, [{ type: "text", text: "01234567890123456789" }])
      assert.strictEqual(answer.stopReason, "max_tokens")
      assert.strictEqual(answer.tokens.outputTokens, 5)
    })
  )
})
