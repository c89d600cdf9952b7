/** A host that is refused, and allowed while the task runs, as its owner sees it. */
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll, expect, it } from "vitest"
import { describeWithEngine } from "../support/engine.ts"
import { Errand } from "../support/errand.ts"
import { type GitServer, gitServer } from "../support/gitServer.ts"
import { type MessagesApi, messagesApi } from "../support/messagesApi.ts"

const host = "files.errand-test.example.com"

/** Nobody has this name; once it is allowed, that is what is wrong with it. */
const command = `until curl -sSv https://${host}/ 2>&1 | grep -E 'no address|not of the public'; do sleep 0.2; done`

describeWithEngine("the network of a task", () => {
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
                name: "fetch",
                match: "Fetch the file",
                steps: [
                  { tools: [{ name: "run_command", input: { command, timeout_seconds: 60 } }] },
                  { when: { toolResult: "network: nothing went through" }, text: "It can't be had." }
                ]
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
      ERRAND_TRUSTED_GIT_HOSTS: git.host
    })
    await errand.start()
  })

  afterAll(async () => {
    await errand.dispose()
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })

  it("keeps a host out, says so, and lets it through at the owner's word", async () => {
    const { url } = await Effect.runPromise(git.create("files", { "readme.md": "Files\n" }))
    const { id } = await errand.submit({ repository: { url }, prompt: "Fetch the file.", delivery: "none" })
    const blocked = async () => (await errand.events(id)).filter(({ event }) => event.type === "network.blocked")
    await expect.poll(blocked, { timeout: 30_000 }).toHaveLength(1)
    expect((await blocked())[0]?.["event"]).toMatchObject({ host, reason: "the host is not on the list of this task" })

    const { body, status } = await errand.call("POST", `tasks/${id}/network/hosts`, { host })
    expect([status, body["network"]]).toEqual([200, { mode: "allowlist", hosts: [host] }])

    expect(await errand.final(id)).toMatchObject({ status: "completed", network: { mode: "allowlist", hosts: [host] } })
    const [call] = (await errand.call("GET", `tasks/${id}/tool-calls`)).body["items"]
    expect(call).toMatchObject({ isError: false })
    expect(call.output.head).toContain(`/api/v1/tasks/${id}/network/hosts {"host":"${host}"}`)
    // Counts are stored every few seconds, and when the sandbox is gone.
    const asked = async () => (await errand.call("GET", `tasks/${id}/network/hosts`)).body["items"]
    await expect.poll(asked, { timeout: 10_000 }).toMatchObject([{ host, sentBytes: 0 }])
    expect((await asked())[0].refusals).toBeGreaterThan(1)
  })
})
