/** Every sandbox of a server has a file system of its own, also after the server and the doctor have looked around. */
import { Effect, Exit, Scope } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { describeWithEngine } from "../support/engine.ts"
import { Errand } from "../support/errand.ts"
import { type GitServer, gitServer } from "../support/gitServer.ts"

const isRoot = process.getuid?.() === 0

describeWithEngine("the disks of a server", () => {
  const scope = Effect.runSync(Scope.make())
  const directory = mkdtempSync(join(tmpdir(), "errand-disks-"))
  let git: GitServer
  let errand: Errand

  beforeAll(async () => {
    git = await Effect.runPromise(Scope.extend(gitServer, scope))
    const script = join(directory, "script.json")
    const look = {
      name: "run_command",
      input: { command: "grep ' /workspace ' /proc/mounts" }
    }
    writeFileSync(
      script,
      JSON.stringify({ scenarios: [{ name: "main", steps: [{ tools: [look] }, { text: "Ok." }] }] })
    )
    errand = new Errand({ ERRAND_MODEL: "scripted", ERRAND_SCRIPT: script, ERRAND_TRUSTED_GIT_HOSTS: git.host })
    await errand.start()
  })

  afterAll(async () => {
    await errand.dispose()
    rmSync(directory, { recursive: true, force: true })
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })

  // Seen to fail with the check of the engine in the server's own directory, which cleared away what disks are copied from,
  // and with the fiber joined that makes a disk: no task but the first had a container.
  it.runIf(isRoot)("are had by one task after the other", async () => {
    const remote = await Effect.runPromise(git.create("app", { "README.md": "# App\n" }))
    const mounts: Array<string> = []
    for (const prompt of ["one", "two", "three"]) {
      const { id } = await errand.submit({ repository: { url: remote.url }, prompt })
      await errand.final(String(id))
      mounts.push(
        /\/dev\/\w+ (?=\/workspace ext4)/.exec(JSON.stringify(await errand.events(String(id))))?.[0] ?? "none"
      )
      await errand.command("doctor").catch(() => undefined)
    }
    expect(mounts.map((device) => device.replace(/\d+ $/, ""))).toEqual(["/dev/loop", "/dev/loop", "/dev/loop"])
  })
})
