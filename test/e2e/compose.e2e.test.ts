/** deploy/compose.yaml as it is shipped: the server in a container, the engine by its socket, TLS by Caddy. */
import { Effect, Exit, Scope } from "effect"
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { createServer, type AddressInfo } from "node:net"
import { once } from "node:events"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it, vi } from "vitest"
import { Bridge } from "../support/bridge.ts"
import { build, buildServer, docked, engineSocket, root, serverImage, tell } from "../support/docker.ts"
import { describeWithCompose } from "../support/engine.ts"
import type { Json } from "../support/errand.ts"
import { gitText } from "../support/gitRepository.ts"
import { type GitServer, gitServer } from "../support/gitServer.ts"
import { messagesApi } from "../support/messagesApi.ts"
import { readUntil, TlsClient } from "../support/tlsClient.ts"

const scenarios = [
  {
    name: "ask",
    match: "Ask",
    steps: [
      { tools: [{ name: "run_command", input: { command: "echo made inside > made.txt" } }] },
      { tools: [{ name: "ask_user", input: { question: "Well?", choices: ["yes", "no"] } }] },
      { text: "Done." }
    ]
  },
  {
    name: "work",
    steps: [
      { tools: [{ name: "run_command", input: { command: "echo kept > kept.txt" } }] },
      { tools: [{ name: "run_command", input: { command: "sleep 600", timeout_seconds: 700 } }] },
      { text: "Done." }
    ]
  }
] as const

const freePort = async () => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  return String(port)
}

/** Debian's, in the place of the image that comes from a registry. */
const caddyImage = "errand-test-caddy"
const caddyDockerfile = `FROM debian:bookworm-slim
RUN apt-get update \\
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends caddy \\
 && rm -rf /var/lib/apt/lists/*
ENV XDG_DATA_HOME=/data
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
`

describeWithCompose("Docker Compose", () => {
  const scope = Effect.runSync(Scope.make())
  const bridge = new Bridge()
  const place = mkdtempSync(join(tmpdir(), "errand-compose-"))
  const project = `errandtest${process.pid}`
  let git: GitServer
  let gitHost = ""
  let variables: Readonly<Record<string, string>> = {}
  let client: TlsClient

  const compose = async (...args: ReadonlyArray<string>) => {
    const files = ["--file", join(root, "deploy/compose.yaml"), "--file", join(place, "override.yaml")]
    const told = await tell("docker-compose", ["--project-name", project, ...files, ...args], variables)
    if (told.code !== 0) throw new Error(`docker-compose ${args.join(" ")}: ${told.stderr}`)
    return told.stdout
  }
  const idOf = async (service: string) => (await compose("ps", "--quiet", service)).trim()
  const errand = (...args: ReadonlyArray<string>) => compose("exec", "-T", "errand", "errand", ...args)
  const health = async () => await docked("inspect", "--format", "{{.State.Health.Status}}", await idOf("errand"))

  const submit = async (name: string, prompt: string) => {
    const { path } = await Effect.runPromise(git.create(name, { "a.txt": "a\n" }))
    const task = { repository: { url: `http://${gitHost}/${name}.git` }, prompt }
    const { body, status } = await client.call("POST", "/api/v1/tasks", task)
    expect(status, JSON.stringify(body)).toBe(201)
    return { id: String(body["id"]), path }
  }

  beforeAll(async () => {
    buildServer()
    git = await Effect.runPromise(Scope.extend(gitServer, scope))
    const api = await Effect.runPromise(Scope.extend(messagesApi({ script: { scenarios } }), scope))
    gitHost = await bridge.carry(git.port)
    const settings = {
      ANTHROPIC_API_KEY: "sk-test",
      ANTHROPIC_BASE_URL: `http://${await bridge.carry(Number(new URL(api.url).port))}`,
      ERRAND_MODEL: "claude-sonnet-4-5",
      ERRAND_TRUSTED_GIT_HOSTS: gitHost
    }
    writeFileSync(join(place, "Dockerfile"), caddyDockerfile)
    build(caddyImage, place)
    writeFileSync(
      join(place, "override.yaml"),
      JSON.stringify({
        services: {
          errand: { image: serverImage, environment: settings, healthcheck: { interval: "1s" } },
          caddy: { image: caddyImage }
        }
      })
    )
    // For this name Caddy is its own authority; the rest of the Caddyfile is as in the world.
    variables = {
      ERRAND_DOMAIN: "localhost",
      DOCKER_GID: String(statSync(engineSocket).gid),
      ERRAND_HTTP_PORT: await freePort(),
      ERRAND_HTTPS_PORT: await freePort()
    }
    await compose("up", "--detach")
    await vi.waitFor(async () => expect(await health()).toBe("healthy"), { timeout: 60_000, interval: 500 })
    const caddy = await idOf("caddy")
    const authority = "/data/caddy/pki/authorities/local/root.crt"
    const trusted = await vi.waitFor(() => docked("exec", caddy, "cat", authority), { timeout: 20_000, interval: 500 })
    client = new TlsClient(`https://localhost:${variables["ERRAND_HTTPS_PORT"]}`, trusted)
    client.token = (await errand("token", "create", "--login", "me")).trim()
  }, 600_000)

  afterAll(async () => {
    await compose("down", "--volumes")
    bridge.close()
    await Effect.runPromise(Scope.close(scope, Exit.void))
    rmSync(place, { recursive: true, force: true })
  })

  it("runs a task whose every step comes through the proxy when it happens", async () => {
    const { id, path } = await submit("ask", "Ask me.")
    const events = client.events(id)
    const frames = client.frames(id)
    // Both must be here before the task can go on: nothing is held back until more comes.
    await readUntil(events, "question.opened")
    expect(await readUntil(frames, "question.opened")).toContain("sandbox.ready")
    const { body: open } = await client.call("GET", "/api/v1/questions?status=open")
    const [question] = open["items"] as ReadonlyArray<Json>
    const answer = { revision: question?.["revision"], decision: "allow", choice: "yes" }
    expect((await client.call("POST", `/api/v1/questions/${question?.["id"]}/answer`, answer)).status).toBe(200)
    await readUntil(events, "task.completed")
    await readUntil(frames, "task.completed")
    await Promise.all([events.return(undefined), frames.return(undefined)])
    const { branch } = (await client.call("GET", `/api/v1/tasks/${id}`)).body
    expect(await Effect.runPromise(gitText(path, ["show", `${branch}:made.txt`]))).toBe("made inside")
  })

  it("finds its installation good, with walls around its sandboxes", async () => {
    const found = (await errand("doctor", "--json"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Json)
    expect(found.filter(({ status }) => status === "problem")).toEqual([])
    expect(found.find(({ check }) => check === "system calls")).toMatchObject({ status: "ok" })
    expect(found.find(({ check }) => check === "network")).toMatchObject({
      detail: expect.stringContaining("over TLS")
    })
  })

  // Seen to fail with the path `/metrics` alone in the Caddyfile: an owner got them at `/metrics/`.
  it("keeps its figures from whoever comes from outside", async () => {
    for (const path of [
      "/metrics",
      "/metrics/",
      "//metrics",
      "/METRICS",
      "/%6detrics",
      "/x/../metrics",
      "/metrics?x"
    ]) {
      const { body, status } = await client.call("GET", path)
      expect({ path, status, told: JSON.stringify(body).includes("errand_") }).toEqual({
        path,
        status: 404,
        told: false
      })
    }
  })

  it("stops in good order, and goes on where it was in new containers", async () => {
    const { id, path } = await submit("work", "Work.")
    const events = client.events(id)
    await readUntil(events, "checkpoint.saved")
    await readUntil(events, "tool.started")
    await events.return(undefined)
    const { epoch } = (await client.call("GET", `/api/v1/tasks/${id}`)).body
    const name = await idOf("errand")
    const sandboxes = [
      "ps",
      "--all",
      "--quiet",
      "--filter",
      `label=errand.server=${await docked("exec", name, "cat", "/data/server-id")}`
    ]
    expect(await docked(...sandboxes)).not.toBe("")
    await compose("stop", "errand")
    expect(await docked("inspect", "--format", "{{.State.ExitCode}}", name)).toBe("0")
    expect(await docked(...sandboxes)).toBe("")

    await compose("down")
    await compose("up", "--detach")
    expect(await idOf("errand")).not.toBe(name)
    const task = await client.until(id, "completed", "failed")
    expect(task).toMatchObject({ status: "completed", epoch })
    expect(await Effect.runPromise(gitText(path, ["show", `${task["branch"]}:kept.txt`]))).toBe("kept")
    expect((await client.call("GET", "/api/v1/tasks")).body["items"]).toHaveLength(2)
  })
})
