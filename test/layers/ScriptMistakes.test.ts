import { FileSystem } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { readFile } from "node:fs/promises"
import * as ClaudeClientScripted from "../../src/layers/ClaudeClientScripted.ts"
import { decodeNamed } from "../../src/layers/jsonFile.ts"
import { decodeScript, type ScriptSource } from "../../src/layers/scripted/Script.ts"
import { ClaudeClient } from "../../src/services/ClaudeClient.ts"
import { ask, user } from "../support/claudeClientContract.ts"
import { modelSettings } from "../support/settings.ts"

const stepsOf = (...steps: ScriptSource["scenarios"][0]["steps"]): ScriptSource => ({
  scenarios: [{ name: "only", steps }]
})

const mistakesIn = (script: unknown) =>
  Effect.map(Effect.flip(decodeNamed("The script", decodeScript(script))), ({ problems }) => problems.join("\n"))

describe("Script: what is wrong with one", () => {
  const mistakes: ReadonlyArray<readonly [string, unknown, string]> = [
    ["no scenarios", { scenarios: [] }, "scenarios.0"],
    [
      "unknown properties",
      { scenarios: [{ name: "a", steps: [{ txt: "hi" }] }] },
      "scenarios.0.steps.0.txt: is unexpected"
    ],
    ["a bad regexp", { scenarios: [{ name: "a", match: { regexp: "(" }, steps: [{}] }] }, "Invalid regular expression"],
    ["flags that keep state", { scenarios: [{ name: "a", match: { regexp: "a", flags: "g" }, steps: [{}] }] }, "match"],
    ["jumps into nothing", stepsOf({ goto: "b" }), 'scenarios.0.steps.0.goto: no step of this scenario is named "b"'],
    ["two steps of one name", stepsOf({ name: "a" }, { name: "a" }), "scenarios.0.steps.1.name"],
    [
      "two scenarios of one name",
      { scenarios: ["x", "y"].map((match) => ({ name: "a", match, steps: [{}] })) },
      "scenarios.1.name"
    ],
    ["two defaults", { scenarios: ["a", "b"].map((name) => ({ name, steps: [{}] })) }, "only one scenario"],
    ["two inputs", stepsOf({ tools: [{ name: "t", input: {}, rawInput: "" }] }), "scenarios.0.steps.0.tools.0"],
    ["a captured name that is taken", stepsOf({ when: { user: { regexp: "(?<turn>.)" } } }), '"turn" already names'],
    [
      "an unknown fault",
      { scenarios: [{ name: "a", steps: [{ faults: [{ fault: "fire" }] }] }] },
      "scenarios.0.steps.0.faults.0"
    ],
    ["not even an object", "hello", "Expected"]
  ]
  for (const [what, script, told] of mistakes) {
    it.effect(`tells of ${what}`, () => Effect.map(mistakesIn(script), (problems) => assert.include(problems, told)))
  }

  it.effect("tells all mistakes at once", () =>
    Effect.map(mistakesIn({ scenarios: [{ name: "", steps: [{ text: 1 }, { delayMs: -1 }] }] }), (problems) =>
      assert.deepStrictEqual(
        problems.split("\n").map((line) => line.split(":")[0]),
        ["scenarios.0.name", "scenarios.0.steps.0.text", "scenarios.0.steps.1.delayMs"]
      )
    )
  )

  it.effect("is a failure of the layer that reads the file, with the file's name", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const path = yield* files.makeTempFileScoped()
      const layer = Layer.provide(ClaudeClientScripted.layer, modelSettings({ script: Option.some(path) }))
      yield* files.writeFileString(path, '{"scenarios": []}')
      const error = yield* Effect.flip(Effect.provide(ClaudeClient, layer))
      assert.include(error.message, `${path} can't be used`)
      yield* files.writeFileString(path, JSON.stringify(stepsOf({ text: "from a file" })))
      const { content } = yield* Effect.provide(ask(user("Go")), layer)
      assert.deepStrictEqual(content, [{ type: "text", text: "from a file" }])
      const unnamed = Layer.provide(ClaudeClientScripted.layer, modelSettings({}))
      assert.include((yield* Effect.flip(Effect.provide(ClaudeClient, unnamed))).message, "ERRAND_SCRIPT")
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))
  )

  it.effect("is not in the examples of the documentation", () =>
    Effect.gen(function* () {
      const page = yield* Effect.promise(() => readFile(new URL("../../docs/scripts.md", import.meta.url), "utf8"))
      const examples = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map((found) => found[1] ?? "")
      assert.isAbove(examples.length, 2)
      for (const example of examples) yield* decodeScript(JSON.parse(example))
    })
  )
})
