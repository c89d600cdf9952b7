/** A bug in a repository of some size: found by its own test suite in the sandbox, mended, and proven by it. */
import { Effect, Exit, Scope } from "effect"
import { expect, it } from "vitest"
import { commitBrowserify, registryAnswers } from "../support/browserify.ts"
import { describeWithEngine } from "../support/engine.ts"
import { Errand } from "../support/errand.ts"
import { gitText } from "../support/gitRepository.ts"
import { gitServer } from "../support/gitServer.ts"
import { messagesApi } from "../support/messagesApi.ts"

const right = "this._ignore.push(path.resolve(basedir, file));"
const wrong = "this._ignore.push(path.join(basedir, 'x', file));"

const suite = {
  name: "run_command",
  input: {
    command: "set -o pipefail; npm test 2>&1 | grep -E '^(not )?ok |^# (failed|time)|^1\\.\\.'",
    timeout_seconds: 900
  }
}

/** What the model does next depends on what the tools found: the test that fails, then that it passes. */
const scenario = {
  name: "mend",
  steps: [
    { text: "What is here?", tools: [{ name: "list_files", input: { path: "test" } }, suite] },
    {
      when: {
        tool: "run_command",
        isError: true,
        toolResult: { regexp: "not ok \\d+ - (?<file>test/(?<name>\\w+)\\.js)" }
      },
      text: "{{file}} fails.",
      tools: [
        { name: "read_file", input: { path: "{{file}}" } },
        { name: "search_files", input: { pattern: "prototype\\.{{name}} = ", path: "index.js" } }
      ]
    },
    {
      when: { tool: "search_files", toolResult: { regexp: "index\\.js:(?<line>\\d+):Browserify" } },
      tools: [{ name: "run_command", input: { command: "sed -n '{{line}},+20p' index.js" } }]
    },
    {
      when: { toolResult: "path.join(basedir, 'x', file)" },
      text: "{{name}} resolves the path wrongly.",
      tools: [{ name: "edit_file", input: { path: "index.js", old_text: wrong, new_text: right } }]
    },
    { tools: [{ name: "run_command", input: { command: "node_modules/.bin/tap {{file}}", timeout_seconds: 300 } }] },
    { when: { tool: "run_command", isError: false }, text: "That one passes. Now all.", tools: [suite] },
    { when: { tool: "run_command", isError: false, toolResult: "ok " }, text: "All tests pass." }
  ]
} as const

describeWithEngine("a repository of some size", () => {
  it("is mended with the help of its own test suite", { timeout: 1_200_000 }, async ({ skip }) => {
    if (!(await registryAnswers())) {
      if (process.env["CI"] === "true") throw new Error("the npm registry does not answer")
      skip("the npm registry does not answer")
    }
    const scope = Effect.runSync(Scope.make())
    const git = await Effect.runPromise(Scope.extend(gitServer, scope))
    const api = await Effect.runPromise(Scope.extend(messagesApi({ script: { scenarios: [scenario] } }), scope))
    const errand = new Errand({
      ANTHROPIC_API_KEY: "sk-test",
      ANTHROPIC_BASE_URL: api.url,
      ERRAND_MODEL: "claude-sonnet-4-5",
      ERRAND_TRUSTED_GIT_HOSTS: git.host
    })
    try {
      const { path, url } = await Effect.runPromise(git.create("browserify"))
      await commitBrowserify(path, { file: "index.js", from: right, to: wrong })
      await errand.start()
      const { id } = await errand.submit({ repository: { url }, prompt: "A test fails. Mend what it tests." })
      const task = await errand.final(id, 1_000_000)
      expect(task).toMatchObject({ status: "completed" })
      const calls = (await errand.call("GET", `tasks/${id}/tool-calls?limit=50`)).body["items"]
      const suites = calls.filter(({ input }: { input: { command?: string } }) => input.command?.includes("npm test"))
      expect(suites.map(({ isError }: { isError: boolean }) => isError)).toEqual([true, false])
      expect(JSON.stringify(suites[0].output)).toContain("not ok")
      const changed = await Effect.runPromise(gitText(path, ["diff", "--numstat", "main", task["branch"]]))
      expect(changed).toBe("1\t1\tindex.js")
      expect(await Effect.runPromise(gitText(path, ["show", `${task["branch"]}:index.js`]))).toContain(right)
    } finally {
      await errand.dispose()
      await Effect.runPromise(Scope.close(scope, Exit.void))
    }
  })
})
