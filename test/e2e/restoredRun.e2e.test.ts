/** A server that is restored into a world which has gone on without it. */
import { Effect } from "effect"
import { existsSync, rmSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { expect, it } from "vitest"
import { containersOf } from "../support/containers.ts"
import { describeWithEngine } from "../support/engine.ts"
import type { Json } from "../support/errand.ts"
import { scriptedServer } from "../support/scriptedServer.ts"

const write = { name: "write_file", input: { path: "made.txt", content: "made\n" } }

/** The second step takes long enough for a backup. */
const steps = [{ tools: [write] }, { text: "Done.", delayMs: 4_000 }] as const

const saved = (events: ReadonlyArray<Json>) => events.some(({ event }) => event.type === "checkpoint.saved")

describeWithEngine("a restore", () => {
  const server = scriptedServer([{ name: "all", steps }])

  /** A backup of the moment when the work is saved and the model has not ended yet. */
  const backedUp = async (name: string) => {
    const { errand, git } = server()
    const { url } = await Effect.runPromise(git.create(name, { "a.txt": "a\n" }))
    const id = String((await errand.submit({ repository: { url }, prompt: name, network: { mode: "none" } }))["id"])
    while (!saved(await errand.events(id))) await sleep(50)
    const { stdout } = await errand.command("backup", "--json")
    return { backup: String(JSON.parse(stdout).path), errand, id }
  }

  it("takes a task up that was running, and finds what it had delivered meanwhile", async () => {
    const { backup, errand, id } = await backedUp("delivered")
    const delivered = await errand.final(id)
    expect(delivered).toMatchObject({ status: "completed" })
    await errand.stop()
    await errand.command("restore", "--replace", backup)
    await errand.start()
    expect(await errand.final(id)).toMatchObject({ status: "completed", headCommit: delivered["headCommit"] })
    const types = (await errand.events(id)).map(({ event }) => event.type)
    expect(types.filter((type) => type === "run.started").length).toBe(2)
    await expect.poll(() => containersOf(errand.dataDir), { timeout: 10_000 }).toBe(0)
  })

  it("brings the work of a task to a machine that has nothing of it", async () => {
    const { backup, errand, id } = await backedUp("moved")
    await errand.stop("SIGKILL")
    rmSync(join(errand.dataDir, "repositories"), { recursive: true })
    await errand.command("restore", "--replace", backup)
    expect(existsSync(join(errand.dataDir, "repositories"))).toBe(true)
    await errand.start()
    expect(await errand.final(id)).toMatchObject({ status: "completed" })
  })

  it("says so when the files of a task were not in it", async () => {
    const { backup, errand, id } = await backedUp("lost")
    await errand.stop("SIGKILL")
    rmSync(join(errand.dataDir, "repositories"), { recursive: true })
    await errand.command("restore", "--replace", join(backup, "errand.db"))
    await errand.start()
    expect(await errand.final(id)).toMatchObject({ status: "failed", error: { code: "checkpoint_lost" } })
  })
})
