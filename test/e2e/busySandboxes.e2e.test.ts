/** Sandboxes that take all the processor time they can get, as many at once as may run: the server answers all the same. */
import { Effect } from "effect"
import { availableParallelism } from "node:os"
import { setTimeout as sleep } from "node:timers/promises"
import { expect, it } from "vitest"
import { describeWithEngine } from "../support/engine.ts"
import { scriptedServer } from "../support/scriptedServer.ts"

const tasks = 2
const requests = 300
const spinSeconds = 8
/** On every processor: some that fork all the time, some that compute. */
const spin = `for n in $(seq ${2 * availableParallelism()}); do timeout ${spinSeconds} sh -c 'while :; do :; done' & timeout ${spinSeconds} sh -c 'while :; do /bin/true; done' & done; echo spinning; wait`
const scenarios = [
  {
    name: "spin",
    steps: [{ tools: [{ name: "run_command", input: { command: spin, timeout_seconds: 60 } }] }, { text: "Done." }]
  }
] as const

describeWithEngine("busy sandboxes", () => {
  const server = scriptedServer(scenarios, { ERRAND_MAX_RUNNING: `${tasks}`, ERRAND_MAX_RUNNING_PER_USER: `${tasks}` })

  // The quota has a test of its own among the walls; here are all that share the processors together. On two processors it
  // holds without quota and shares too: it is about what the server needs, and not about these.
  it("leave the server able to answer", async () => {
    const { errand, git } = server()
    const { url } = await Effect.runPromise(git.create("busy", { "a.txt": "a\n" }))
    const ids = await Promise.all(
      Array.from({ length: tasks }, async () =>
        String((await errand.submit({ repository: { url }, prompt: "spin" }))["id"])
      )
    )
    await Promise.all(ids.map((id) => errand.until(id, ({ phase }) => phase === "working")))
    await sleep(1_000)
    const times: Array<number> = []
    for (let n = 0; n < requests; n++) {
      const began = performance.now()
      await errand.task(ids[n % tasks] ?? "")
      times.push(performance.now() - began)
    }
    const slow = times.toSorted((a, b) => a - b)[Math.floor(requests * 0.99)] ?? Infinity
    expect(slow).toBeLessThan(500)
    for (const id of ids) expect(await errand.final(id)).toMatchObject({ status: "completed" })
  })
})
