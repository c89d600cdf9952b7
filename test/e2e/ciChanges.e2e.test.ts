/** A push of CI definitions that waits for a person, over the death of the server, as a client sees it. */
import { Effect, Exit, Scope } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Errand, type Json } from "../support/errand.ts"
import { gitText } from "../support/gitRepository.ts"
import { type GitServer, gitServer } from "../support/gitServer.ts"

const workflow = ".github/workflows/check.yml"

describe("a push of CI definitions", () => {
  const scope = Effect.runSync(Scope.make())
  const directory = mkdtempSync(join(tmpdir(), "errand-ci-"))
  let git: GitServer
  let errand: Errand
  let remote: { readonly path: string; readonly url: string }

  beforeAll(async () => {
    git = await Effect.runPromise(Scope.extend(gitServer, scope))
    remote = await Effect.runPromise(git.create("app", { [workflow]: "on: push\n" }))
    const script = join(directory, "script.json")
    const write = { name: "write_file", input: { path: workflow, content: "on: [push, pull_request]\n" } }
    writeFileSync(
      script,
      JSON.stringify({ scenarios: [{ name: "main", steps: [{ tools: [write] }, { text: "Changed the workflow." }] }] })
    )
    errand = new Errand({
      ERRAND_MODEL: "scripted",
      ERRAND_SCRIPT: script,
      ERRAND_SANDBOX: "process",
      ERRAND_ALLOW_UNSANDBOXED: "true",
      ERRAND_TRUSTED_GIT_HOSTS: git.host
    })
    await errand.start()
  })

  afterAll(async () => {
    await errand.dispose()
    rmSync(directory, { recursive: true, force: true })
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })

  const begin = async () => {
    const { id } = await errand.submit({ repository: { url: remote.url }, prompt: "x", network: { mode: "open" } })
    await errand.until(id, ({ status }) => status === "waiting")
    return String(id)
  }

  const openQuestions = async (): Promise<ReadonlyArray<Json>> =>
    (await errand.call("GET", "questions?status=open")).body["items"]

  const branches = () => Effect.runPromise(gitText(remote.path, ["for-each-ref", "--format=%(refname)"]))

  // Seen to fail with the question looked for by its tool call alone: each life of the server asks another one.
  it("waits through a crash, is asked about once, and arrives after the answer", async () => {
    const id = await begin()
    const [before] = await openQuestions()
    expect(before).toMatchObject({ taskId: id, kind: "approval", default: { decision: "deny" } })
    await errand.stop("SIGKILL")
    await errand.start()
    await errand.until(id, ({ phase, status }) => status === "waiting" && phase !== "preparing")
    const [question, ...others] = await openQuestions()
    expect([question?.["id"], others]).toEqual([before?.["id"], []])
    expect(await branches()).toBe("refs/heads/main")
    const answer = { revision: question?.["revision"], decision: "allow", choice: "Push" }
    expect((await errand.call("POST", `questions/${question?.["id"]}/answer`, answer)).status).toBe(200)
    const task = await errand.final(id)
    expect(task).toMatchObject({ status: "completed", ciChanges: [workflow] })
    expect(await branches()).toContain(task["branch"])
    const pushed = (await errand.events(id)).map(({ event }) => event).filter(({ type }) => type === "branch.pushed")
    expect(pushed).toEqual([expect.objectContaining({ branch: task["branch"], ciChanges: [workflow] })])
  })

  // Seen to fail with every answer taken for a yes.
  it("ends without a push when it is not allowed, and leaves diff and patch to be read", async () => {
    const before = await branches()
    const id = await begin()
    const [question] = await openQuestions()
    const answer = { revision: question?.["revision"], decision: "deny" }
    expect((await errand.call("POST", `questions/${question?.["id"]}/answer`, answer)).status).toBe(200)
    const task = await errand.final(id)
    expect(task).toMatchObject({ status: "failed", error: { code: "ci_changes_refused" }, ciChanges: [workflow] })
    expect(task["error"].message).toContain(workflow)
    expect(await branches()).toBe(before)
    const { body: diff } = await errand.call("GET", `tasks/${id}/diff`)
    expect(diff["files"]).toMatchObject([{ path: workflow }])
    expect((await errand.call("GET", `tasks/${id}/patch`)).body["text"]).toContain("+on: [push, pull_request]")
  })
})
