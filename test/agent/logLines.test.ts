/** Every line that a run logs says which task and which run it is about. */
import { expect, it } from "@effect/vitest"
import { Context, Effect, HashMap, Layer, Logger } from "effect"
import type * as AppLayer from "../../src/layers/AppLayer.ts"
import * as SandboxProcess from "../../src/layers/SandboxProcess.ts"
import { Sandbox, SandboxLost } from "../../src/services/Sandbox.ts"
import { commitFiles, makeBare } from "../support/gitRepository.ts"
import { appLayer, finished, submit, temporaryDirectory } from "../support/wholeApp.ts"

/** Is lost with the first command of each task. */
const fragile: AppLayer.Parts["sandbox"] = Layer.map(SandboxProcess.layer, (context) => {
  const sandbox = Context.get(context, Sandbox)
  const open: typeof sandbox.open = (spec) =>
    Effect.map(sandbox.open(spec), (handle) => ({
      ...handle,
      run: (command, onOutput) =>
        command.argv.includes("true") && spec.run === 1
          ? new SandboxLost({ detail: `by ${spec.taskId}` })
          : handle.run(command, onOutput)
    }))
  return Context.add(context, Sandbox, { ...sandbox, open })
})

// Seen to fail without the annotation of runs.
it.scopedLive("two runs side by side log lines that can be told apart", () =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    const remote = `${directory}/remote.git`
    yield* makeBare(remote)
    yield* commitFiles(remote, { "a.txt": "a\n" })
    const lines: Array<{ readonly text: string; readonly about: Readonly<Record<string, unknown>> }> = []
    const logger = Logger.make<unknown, void>(({ annotations, message }) => {
      lines.push({ text: String(message), about: Object.fromEntries(HashMap.toEntries(annotations)) })
    })
    const app = appLayer({
      dataDir: `${directory}/data`,
      script: {
        scenarios: [
          { name: "main", steps: [{ tools: [{ name: "run_command", input: { command: "true" } }] }, { text: "Done." }] }
        ]
      },
      sandbox: fragile
    })
    const ids = yield* Effect.all([submit(remote), submit(remote)]).pipe(
      Effect.flatMap(Effect.forEach(({ id }) => Effect.as(finished(id), id), { concurrency: 2 })),
      Effect.provide(app),
      Effect.provide(Logger.replace(Logger.defaultLogger, logger))
    )
    const lost = lines.filter(({ text }) => text.startsWith("the sandbox was lost"))
    expect(lost.map(({ about }) => about)).toEqual(expect.arrayContaining(ids.map((taskId) => ({ taskId, run: 1 }))))
    for (const { about, text } of lines) {
      const [named] = /task_\w{26}/.exec(text) ?? []
      if (named !== undefined) expect(about["taskId"]).toBe(named)
    }
  })
)
