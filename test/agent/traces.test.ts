/** The trace of a whole run, on real storage and real git, sent to a collector that checks every byte. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import type { ScriptSource } from "../../src/layers/scripted/Script.ts"
import { commitFiles, makeBare } from "../support/gitRepository.ts"
import { otlpReceiver } from "../support/otlpReceiver.ts"
import { appLayer, finished, submit, temporaryDirectory } from "../support/wholeApp.ts"

const script = (...steps: ScriptSource["scenarios"][0]["steps"]): ScriptSource => ({
  scenarios: [{ name: "main", steps }]
})

const play = Effect.fnUntraced(function* (source: ScriptSource) {
  const directory = yield* temporaryDirectory
  const remote = `${directory}/remote.git`
  yield* makeBare(remote)
  yield* commitFiles(remote, { "secret-name.js": "export const value = 'words of a file'\n" })
  const receiver = yield* otlpReceiver
  const app = appLayer({
    dataDir: `${directory}/data`,
    script: source,
    settings: {
      traces: Option.some({
        url: `${receiver.url}/v1/traces`,
        headers: Redacted.make({ "x-api-key": "hush" }),
        timeoutMs: 5000,
        resource: { "service.name": "errand-test" }
      })
    }
  })
  const { task } = yield* Effect.flatMap(submit(remote, { prompt: "Words of a prompt." }), ({ id }) =>
    finished(id)
  ).pipe(Effect.provide(app))
  return { receiver, task }
})

describe("the trace of a run", () => {
  // Seen to fail with Effect's own spans left on inside of these: those of every method stand between them.
  it.scopedLive("has its turns and their tool calls below it, in order", () =>
    Effect.gen(function* () {
      const { receiver, task } = yield* play(
        script(
          {
            tools: [
              { name: "read_file", input: { path: "secret-name.js" } },
              { name: "list_files", input: { path: "." } }
            ],
            tokens: { input: 1000, output: 100 }
          },
          {
            tools: [
              { name: "edit_file", input: { path: "secret-name.js", old_text: "words", new_text: "Other words" } },
              { name: "run_command", input: { command: "echo words of a command; exit 3" } }
            ]
          },
          { text: "Words of the model." }
        )
      )
      expect(task.status).toBe("completed")
      expect([...receiver.mistakes, ...receiver.inconsistencies]).toEqual([])
      const [run, ...others] = receiver.named("run")
      expect(others).toEqual([])
      if (run === undefined) return expect.fail("no run")
      expect(run.parentSpanId).toBeUndefined()
      expect(new Set(receiver.spans.map(({ traceId }) => traceId))).toEqual(new Set([run.traceId]))
      const chat = "run > turn > chat scripted"
      expect(receiver.tree(run).filter((path) => !/(fetch|open sandbox|lay out|checkpoint)$/.test(path))).toEqual([
        "run",
        "run > prepare",
        "run > turn",
        chat,
        "run > turn > execute_tool read_file",
        "run > turn > execute_tool list_files",
        "run > turn",
        chat,
        "run > turn > execute_tool edit_file",
        "run > turn > execute_tool run_command",
        "run > turn",
        chat,
        "run > deliver",
        "run > deliver > push",
        "run > deliver > pull request"
      ])
      expect(receiver.tree(run)).toEqual(
        expect.arrayContaining([
          "run > prepare > fetch",
          "run > prepare > open sandbox",
          "run > prepare > lay out",
          "run > turn > checkpoint"
        ])
      )
      for (const { attributes } of receiver.spans) {
        expect(attributes).toMatchObject({ "errand.task.id": task.id, "errand.run": 1 })
      }
      expect(run.attributes).toMatchObject({
        "errand.run.outcome": "completed",
        "errand.task.cost_usd": task.usage.costUsd,
        "gen_ai.operation.name": "invoke_agent"
      })
      expect(receiver.named(/^chat/)[0]).toMatchObject({
        kind: 3,
        attributes: { "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100 }
      })
      expect(receiver.named("execute_tool run_command")[0]).toMatchObject({
        status: { code: 2 },
        attributes: { "gen_ai.tool.name": "run_command", "process.exit.code": 3, "error.type": "tool_error" }
      })
      expect(receiver.resources[0]).toEqual({ "service.name": "errand-test" })
      const sent = receiver.requests.map(({ body }) => body).join("\n")
      expect(sent).not.toMatch(/words|secret-name|hush|remote\.git/i)
      expect(receiver.requests[0]?.headers["x-api-key"]).toBe("hush")
    })
  )

  // Seen to fail with the text of the error for its type, and with the model's word for the name of a tool.
  it.scopedLive("of a failure has the code and none of the words", () =>
    Effect.gen(function* () {
      const { receiver, task } = yield* play(
        script(
          { tools: [{ name: "no_such_tool words of the model", input: {} }] },
          { text: "Never said.", faults: [{ fault: "http", status: 400, type: "words_of_the_api", message: "words" }] }
        )
      )
      expect(task).toMatchObject({ status: "failed", error: { code: "model_rejected" } })
      expect([...receiver.mistakes, ...receiver.inconsistencies]).toEqual([])
      expect(receiver.named("run")[0]).toMatchObject({
        status: { code: 2 },
        attributes: { "errand.run.outcome": "failed", "error.type": "model_rejected" }
      })
      expect(receiver.named(/^chat/).at(-1)).toMatchObject({
        status: { code: 2 },
        attributes: { "error.type": "ClaudeRejected" }
      })
      expect(receiver.named("execute_tool unknown")).toHaveLength(1)
      expect(receiver.requests.map(({ body }) => body).join("\n")).not.toMatch(/words/i)
    })
  )
})
