/** A host that is refused, and allowed while the task runs, as its owner sees it. */
import { Effect } from "effect"
import { expect, it } from "vitest"
import { describeWithEngine } from "../support/engine.ts"
import { scriptedServer } from "../support/scriptedServer.ts"

const host = "files.errand-test.example.com"

/** Nobody has this name; once it is allowed, that is what is wrong with it. */
const command = `until curl -sSv https://${host}/ 2>&1 | grep -E 'no address|not of the public'; do sleep 0.2; done`

const scenarios = [
  {
    name: "fetch",
    match: "Fetch the file",
    steps: [
      { tools: [{ name: "run_command", input: { command, timeout_seconds: 60 } }] },
      { when: { toolResult: "network: nothing went through" }, text: "It can't be had." }
    ]
  }
] as const

describeWithEngine("the network of a task", () => {
  const server = scriptedServer(scenarios)

  it("keeps a host out, says so, and lets it through at the owner's word", async () => {
    const { errand, git } = server()
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
