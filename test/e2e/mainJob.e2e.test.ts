/** The main job as its users have it: the built server, a real engine, git over HTTP, the Messages API on the wire. */
import { Effect, Exit, Scope } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { afterAll, beforeAll, expect, it } from "vitest"
import { describeWithEngine } from "../support/engine.ts"
import { Errand } from "../support/errand.ts"
import { gitText } from "../support/gitRepository.ts"
import { type GitServer, gitServer } from "../support/gitServer.ts"
import { type MessagesApi, messagesApi } from "../support/messagesApi.ts"

/** Names at the top of a data directory, in the table of the page about operations. */
const told = () => {
  const page = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8")
  const rows = page
    .slice(page.indexOf("## What there is to lose"), page.indexOf("## Back up"))
    .matchAll(/^\| (`.*?) \|/gm)
  return Array.from(rows, ([, names = ""]) => names.replace(/[`/]/g, "").split(", ")).flat()
}

describeWithEngine("the main job", () => {
  const scope = Effect.runSync(Scope.make())
  let git: GitServer
  let api: MessagesApi
  let errand: Errand

  beforeAll(async () => {
    git = await Effect.runPromise(Scope.extend(gitServer, scope))
    api = await Effect.runPromise(
      Scope.extend(
        messagesApi({
          script: {
            scenarios: [
              {
                name: "mend",
                match: "Mend the sum",
                steps: [
                  { tools: [{ name: "list_files" }, { name: "read_file", input: { path: "sum.js" } }] },
                  { tools: [{ name: "run_command", input: { command: "node test.js" } }] },
                  {
                    when: { toolResult: { regexp: "expected (?<wanted>\\d+)" } },
                    text: "It should give {{wanted}}.",
                    tools: [{ name: "edit_file", input: { path: "sum.js", old_text: "a - b", new_text: "a + b" } }]
                  },
                  { tools: [{ name: "run_command", input: { command: "node test.js" } }] },
                  { when: { toolResult: "all is well" }, text: "Mended." }
                ]
              },
              {
                name: "sleep",
                match: "Sleep",
                steps: [{ tools: [{ name: "run_command", input: { command: "sleep 600", timeout_seconds: 700 } }] }]
              }
            ]
          }
        }),
        scope
      )
    )
    errand = new Errand({
      ANTHROPIC_API_KEY: "sk-test",
      ANTHROPIC_BASE_URL: api.url,
      ERRAND_MODEL: "claude-sonnet-4-5",
      ERRAND_TRUSTED_GIT_HOSTS: git.host,
      ERRAND_MAX_RUNNING_PER_USER: "4"
    })
    await errand.start()
  })

  afterAll(async () => {
    await errand.dispose()
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })

  it("brings back a branch with the work", async () => {
    const { path, url } = await Effect.runPromise(
      git.create("sums", {
        "sum.js": "export const sum = (a, b) => a - b\n",
        "package.json": '{"type":"module"}\n',
        "test.js":
          'import { sum } from "./sum.js"\nif (sum(2, 3) !== 5) { console.log("expected 5, got", sum(2, 3)); process.exit(1) }\nconsole.log("all is well")\n'
      })
    )
    const { id } = await errand.submit({ repository: { url }, prompt: "Mend the sum." })
    const task = await errand.final(id)
    expect(task).toMatchObject({ status: "completed", error: null, network: { mode: "registries" } })
    expect(await Effect.runPromise(gitText(path, ["show", `${task["branch"]}:sum.js`]))).toContain("a + b")
    expect(await Effect.runPromise(gitText(path, ["rev-parse", task["branch"]]))).toBe(task["headCommit"])
    expect((await errand.call("DELETE", `tasks/${id}`)).status).toBe(204)
    const next = await errand.submit({ repository: { url }, prompt: "Mend the sum again." })
    expect(await errand.final(next["id"])).toMatchObject({ status: "completed" })
  })

  it("cancels a command that hangs within five seconds", async () => {
    const { url } = await Effect.runPromise(git.create("sleepy", { "a.txt": "a\n" }))
    const { id } = await errand.submit({ repository: { url }, prompt: "Sleep." })
    await errand.until(id, ({ seq }) => seq >= 8)
    expect(told()).toEqual(expect.arrayContaining(readdirSync(errand.dataDir)))
    const start = performance.now()
    const { body } = await errand.call("POST", `tasks/${id}/cancel`)
    expect(body["status"]).toBe("cancelled")
    expect(performance.now() - start).toBeLessThan(5_000)
  })

  it("pauses without a credential, and goes on when there is one", async () => {
    const { path, url } = await Effect.runPromise(git.create("secret", { "sum.js": "a - b\n", "test.js": "" }))
    await Effect.runPromise(git.requireSignIn("x-access-token", "a-token-of-mine"))
    const { id } = await errand.submit({ repository: { url }, prompt: "Mend the sum, in secret." })
    expect(await errand.final(id)).toMatchObject({ status: "paused", error: null })
    expect((await errand.events(id)).at(-1)?.["event"]).toEqual({
      type: "task.paused",
      reason: "git_credential_needed"
    })
    const stored = await errand.call("PUT", `git-credentials/${encodeURIComponent(git.host)}`, {
      kind: "token",
      value: "a-token-of-mine"
    })
    expect(stored.status).toBeLessThan(300)
    const task = await errand.until(id, ({ status }) => status === "completed")
    expect(await Effect.runPromise(gitText(path, ["rev-parse", "main"]))).toBe(task["baseCommit"])
  })
})
