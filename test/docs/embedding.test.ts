/** The example of docs/embedding.md, as it stands there. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { AppConfigEnv, AppLayer } from "../../src/exports.ts"
import { ClaudeClientScripted, SandboxScripted } from "../../src/testing.ts"
import { commitFiles, makeBare } from "../support/gitRepository.ts"
import { finished, submit, temporaryDirectory } from "../support/wholeApp.ts"

const start = "const application = "
const here = readFileSync(new URL(import.meta.url), "utf8")
const page = readFileSync(new URL("../../docs/embedding.md", import.meta.url), "utf8")

/** The statement that begins with `start`, without its indentation. */
const statement = (text: string) => {
  const from = text.lastIndexOf(start)
  const indent = from - text.lastIndexOf("\n", from) - 1
  const lines = text.slice(from - indent).split("\n")
  const end = lines.findIndex((line) => line === `${" ".repeat(indent)}})`)
  return lines.slice(0, end + 1).map((line) => line.slice(indent))
}

describe("docs/embedding.md", () => {
  it.scopedLive("swaps a fake sandbox and a scripted model into the whole application", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const remote = `${directory}/remote.git`
      yield* makeBare(remote)
      yield* commitFiles(remote, { Makefile: "test:\n" })
      const dataDir = `${directory}/data`
      const application = AppLayer.layerWith({
        config: AppConfigEnv.layerWith({ dataDir, allowLocalRepositories: true }),
        sandbox: SandboxScripted.layerWith({ commands: [{ when: "make test", then: { output: "all good\n" } }] }),
        model: ClaudeClientScripted.layerWith({
          scenarios: [
            {
              name: "check",
              steps: [
                { tools: [{ name: "run_command", input: { command: "make test" } }] },
                { when: { toolResult: "all good" }, text: "The tests pass." }
              ]
            }
          ]
        })
      })
      const { events, task } = yield* Effect.flatMap(submit(remote), ({ id }) => finished(id)).pipe(
        Effect.provide(application)
      )
      expect(task.status).toBe("completed")
      expect(JSON.stringify(events)).toContain("The tests pass.")
    })
  )

  it("shows the code that was just run", () => {
    expect(statement(page)).toEqual(statement(here))
    expect(statement(page).length).toBeGreaterThan(10)
  })
})
