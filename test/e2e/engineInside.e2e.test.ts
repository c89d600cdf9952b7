/** deploy/fly: an image with an engine of its own, as on a machine that has none to share. */
import { Effect, Exit, Scope } from "effect"
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it, vi } from "vitest"
import { Bridge } from "../support/bridge.ts"
import {
  asPrivileged,
  build,
  buildServer,
  controlGroups,
  docked,
  docker,
  placeOfControlGroups,
  root,
  serverImage
} from "../support/docker.ts"
import { describeWithEngine } from "../support/engine.ts"
import { gitText } from "../support/gitRepository.ts"
import { type GitServer, gitServer } from "../support/gitServer.ts"
import { messagesApi } from "../support/messagesApi.ts"

const scenarios = [
  {
    name: "all",
    steps: [
      { tools: [{ name: "run_command", input: { command: "echo kept > kept.txt" } }] },
      { tools: [{ name: "run_command", input: { command: "sleep 600", timeout_seconds: 700 } }] },
      { text: "Done." }
    ]
  }
] as const

const image = "errand-test-fly"

describeWithEngine("an engine inside", () => {
  const scope = Effect.runSync(Scope.make())
  const bridge = new Bridge()
  const place = mkdtempSync(join(tmpdir(), "errand-fly-"))
  const name = `errand-test-fly-${process.pid}`
  let git: GitServer
  let gitHost = ""
  let token = ""

  const inside = async (command: string) =>
    await docker("exec", "--user", "errand", "--env", `ERRAND_TOKEN=${token}`, name, "bash", "-c", command)
  const log = async () => {
    const { stderr, stdout } = await docker("logs", name)
    return stdout + stderr
  }
  const times = async (text: string) => (await log()).split(text).length - 1
  const says = async (text: string, often = 1) =>
    await vi.waitFor(async () => expect(await times(text)).toBeGreaterThanOrEqual(often), {
      timeout: 180_000,
      interval: 250
    })
  const loaded = "Loaded image: errand-sandbox"
  const answers = "Errand 0.1.0 answers at"

  beforeAll(async () => {
    buildServer()
    git = await Effect.runPromise(Scope.extend(gitServer, scope))
    const api = await Effect.runPromise(Scope.extend(messagesApi({ script: { scenarios } }), scope))
    gitHost = await bridge.carry(git.port)
    // Mounted and not in the image, as `npm run image:fly` has it: that takes a minute of copying and compressing.
    cpSync(join(root, "deploy/fly"), place, { recursive: true })
    const sandbox = join(place, "sandbox.tar.gz")
    writeFileSync(sandbox, "")
    build(image, "--build-arg", `SERVER=${serverImage}`, place)
    await docked("save", "--output", sandbox, "errand-sandbox:latest")
    const settings = {
      ANTHROPIC_API_KEY: "sk-test",
      ANTHROPIC_BASE_URL: `http://${await bridge.carry(Number(new URL(api.url).port))}`,
      ERRAND_MODEL: "claude-sonnet-4-5",
      ERRAND_TRUSTED_GIT_HOSTS: gitHost
    }
    const environment = Object.entries(settings).flatMap(([key, value]) => ["--env", `${key}=${value}`])
    // A virtual machine has both for itself: its control groups, and a file system that is no overlay.
    const volumes = [...controlGroups, "/data", `${sandbox}:/usr/share/errand/sandbox.tar.gz:ro`]
    const mounts = [
      ...placeOfControlGroups.flatMap((path) => ["--tmpfs", path]),
      ...volumes.flatMap((volume) => ["--volume", volume])
    ]
    await docked("run", "--detach", "--name", name, ...asPrivileged, ...mounts, ...environment, image)
    await says(answers)
    token = (await inside("errand token create --login me")).stdout.trim()
    await says(loaded)
  }, 600_000)

  afterAll(async () => {
    await docker("rm", "--force", "--volumes", name)
    bridge.close()
    await Effect.runPromise(Scope.close(scope, Exit.void))
    rmSync(place, { recursive: true, force: true })
  })

  it("runs a task that outlives a stop of the machine", { timeout: 300_000 }, async () => {
    const { path } = await Effect.runPromise(git.create("fly", { "a.txt": "a\n" }))
    const submitted = await inside(`errand run --detach http://${gitHost}/fly.git 'Long work'`)
    expect(submitted.code, submitted.stderr).toBe(0)
    const id = submitted.stdout.trim()
    const seen = { timeout: 60_000, interval: 500 }
    await vi.waitFor(async () => expect((await inside(`errand logs ${id}`)).stdout).toContain("sleep 600"), seen)
    expect((await inside("docker info --format '{{.Driver}}'")).stdout).toBe("overlay2\n")

    await docked("stop", "--time", "20", name)
    expect(await docked("inspect", "--format", "{{.State.ExitCode}}", name)).toBe("0")
    expect(await log()).not.toMatch(/engine has ended|could not be removed/)

    await docked("start", name)
    await says(answers, 2)
    const tasks = async () => JSON.parse((await inside("errand tasks --json")).stdout)
    await vi.waitFor(async () => expect(await tasks()).toMatchObject({ id, status: "completed" }), seen)
    expect(await Effect.runPromise(gitText(path, ["show", `${(await tasks()).branch}:kept.txt`]))).toBe("kept")
    expect(await times(loaded)).toBe(1)
  })

  it("ends when its engine does, so that the machine is started again", async () => {
    await docked("exec", name, "bash", "-c", "kill -KILL $(cat /run/docker.pid)")
    const exitCode = () => docked("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", name)
    await vi.waitFor(async () => expect(await exitCode()).toBe("exited 1"), { timeout: 30_000, interval: 250 })
    await docked("start", name)
    await says(answers, 3)
    expect((await inside("errand doctor")).stdout).toContain("✓ sandbox")
  })
})
