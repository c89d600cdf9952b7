/**
 * Every kind of credential that a server holds, planted with a text of its own, and a whole task on a real engine that
 * looks for them: none of them occurs anywhere but where it belongs.
 */
import Docker from "dockerode"
import { Effect, Exit, Scope } from "effect"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, expect, it } from "vitest"
import { WebSocket } from "ws"
import { describeWithEngine } from "../support/engine.ts"
import { Errand, type Json } from "../support/errand.ts"
import { gitText } from "../support/gitRepository.ts"
import { type GitServer, gitServer } from "../support/gitServer.ts"
import { type MessagesApi, messagesApi } from "../support/messagesApi.ts"
import { type OtlpReceiver, otlpReceiver } from "../support/otlpReceiver.ts"

const canary = (kind: string) => `cnry_${kind}_${randomBytes(12).toString("hex")}`

/** Beside these, the access token that the server makes. */
const planted = {
  modelKey: canary("model"),
  gitToken: canary("git"),
  taskSecret: canary("task"),
  collectorKey: canary("collector"),
  secretKey: canary("vault")
}

/** As a credential travels in `Basic`, and in the two halves of a line. */
const formsOf = (text: string) => [text, Buffer.from(text).toString("base64").slice(2, -4), encodeURIComponent(text)]

const found = (where: string, bytes: string | Buffer, texts: Readonly<Record<string, string>>): ReadonlyArray<string> =>
  Object.entries(texts).flatMap(([name, text]) =>
    formsOf(text).some((form) => bytes.includes(form)) ? [`${name} in ${where}`] : []
  )

/** Files below the directories that have one of the texts in them; the images of disks among them are large and mostly holes. */
const filesWith = (texts: Readonly<Record<string, string>>, ...directories: ReadonlyArray<string>) => {
  const input = `${Object.values(texts).flatMap(formsOf).join("\n")}\n`
  const { status, stdout } = spawnSync("grep", ["-rlaF", "-f", "-", ...directories], { input, encoding: "utf8" })
  if (status === 1) return []
  return status === 0 ? stdout.trimEnd().split("\n") : [`grep ended with ${status}`]
}

const filesBelow = (directory: string) =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

const search = [
  "env",
  "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'",
  "cat /proc/self/mountinfo",
  "grep -rIlas 'cnry[_]' / --exclude-dir=proc --exclude-dir=sys | sed 's/^/found in /'",
  "echo searched"
].join("; ")

/** Keeps the container until it has been looked at. */
const waiting = "until test -e /tmp/seen; do sleep 0.2; done"

class ProcessWatch {
  readonly #child: ChildProcess
  readonly #lines: Array<string> = []

  constructor(texts: Readonly<Record<string, string>>, except: ReadonlyArray<number>) {
    const program = fileURLToPath(new URL("../support/processWatch.mjs", import.meta.url))
    this.#child = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "inherit"] })
    if (this.#child.stdout) createInterface(this.#child.stdout).on("line", (line) => this.#lines.push(line))
    this.#child.stdin?.write(`${JSON.stringify({ texts, except })}\n`)
  }

  async end(): Promise<Json> {
    this.#child.stdin?.end()
    await new Promise((resolve) => this.#child.once("close", resolve))
    return JSON.parse(this.#lines.at(-1) ?? "{}") as Json
  }
}

describeWithEngine("credentials", () => {
  const scope = Effect.runSync(Scope.make())
  const docker = new Docker()
  let git: GitServer
  let api: MessagesApi
  let errand: Errand
  let collector: OtlpReceiver

  beforeAll(async () => {
    collector = await Effect.runPromise(Scope.extend(otlpReceiver, scope))
    git = await Effect.runPromise(Scope.extend(gitServer, scope))
    api = await Effect.runPromise(
      Scope.extend(
        messagesApi({
          script: {
            scenarios: [
              {
                name: "search",
                steps: [
                  { tools: [{ name: "run_command", input: { command: search } }] },
                  { tools: [{ name: "write_file", input: { path: "done.txt", content: "searched\n" } }] },
                  { tools: [{ name: "run_command", input: { command: waiting } }] },
                  { text: "Nothing." }
                ]
              }
            ]
          }
        }),
        scope
      )
    )
    errand = new Errand({
      ANTHROPIC_API_KEY: planted.modelKey,
      ANTHROPIC_BASE_URL: api.url,
      ERRAND_SECRET_KEY: planted.secretKey,
      ERRAND_MODEL: "claude-sonnet-4-5",
      ERRAND_SANDBOX_DISK: "512m",
      ERRAND_LOG_LEVEL: "debug",
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: `x-api-key=${planted.collectorKey}`,
      ERRAND_TRUSTED_GIT_HOSTS: git.host
    })
    await errand.start()
  })

  afterAll(async () => {
    await errand.dispose()
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })

  /** The container of the task, looked at from outside: how it is configured, and every file of it. */
  const lookAtContainer = async (id: string, texts: Readonly<Record<string, string>>) => {
    const [listed] = await docker.listContainers({ all: true, filters: { label: [`errand.task=${id}`] } })
    const container = docker.getContainer(listed?.Id ?? "")
    const leaks: Array<string> = []
    let bytes = 0
    // As long as the longest text: one may be cut between two pieces.
    let before = Buffer.alloc(0)
    for await (const chunk of await container.export()) {
      const piece = Buffer.concat([before, Buffer.from(chunk as Uint8Array)])
      leaks.push(...found("the container's files", piece, texts))
      before = piece.subarray(-256)
      bytes += piece.length
    }
    const inspected = JSON.stringify(await container.inspect())
    const goOn = await container.exec({ Cmd: ["touch", "/tmp/seen"] })
    await goOn.start({})
    return { inspected, leaks, bytes }
  }

  const hear = async (stream: string) => {
    const frames: Array<string> = []
    const socket = new WebSocket(`${errand.url.replace("http", "ws")}/api/v1/stream`, {
      headers: { authorization: `Bearer ${errand.token}` }
    })
    socket.on("message", (data: Buffer) => frames.push(data.toString()))
    await new Promise((resolve) => socket.once("open", resolve))
    socket.send(JSON.stringify({ type: "subscribe", stream, after: 0 }))
    return { frames, close: () => socket.terminate() }
  }

  // Seen to fail with the token of git in a setting that it gets as an argument: the watch tells of git, its environment and
  // that of its helpers. Also with tokens that are stored whole, and with credentials that are stored unsealed: both are found
  // in the database.
  it("occur nowhere but where they belong, while a task is worked on and after it", async () => {
    const { path, url } = await Effect.runPromise(git.create("private", { "a.txt": "a\n" }))
    await Effect.runPromise(git.requireSignIn("x-access-token", planted.gitToken))
    const texts = { ...planted, accessToken: errand.token }
    const { taskSecret: value } = planted
    const put = async (where: string, body: Json) => expect((await errand.call("PUT", where, body)).status).toBe(204)
    await put(`git-credentials/${encodeURIComponent(git.host)}`, { kind: "token", value: planted.gitToken })
    await put("secrets/DEPLOY_KEY", { value, hosts: ["api.example"] })
    const images = JSON.stringify((await docker.listImages()).map(({ Id }) => Id).toSorted())

    // The server's own environment has the model key, and this process has everything in its memory.
    const watch = new ProcessWatch(texts, [errand.pid])
    const { id } = await errand.submit({
      repository: { url },
      prompt: `Search everything. The key is ${value}.`,
      network: { mode: "registries" },
      secrets: ["DEPLOY_KEY"]
    })
    const stream = await hear(`task:${id}`)
    await errand.until(id, ({ usage }) => usage?.["outputTokens"] > 0)
    const sleeping = async () => (await errand.events(id)).some(({ event }) => event["input"]?.["command"] === waiting)
    while (!(await sleeping())) await sleep(50)
    const container = await lookAtContainer(id, texts)
    const task = await errand.final(id)
    expect(task).toMatchObject({ status: "completed", error: null })
    expect(await Effect.runPromise(gitText(path, ["show", `${task["branch"]}:done.txt`]))).toBe("searched")
    while (collector.named("run").length === 0) await sleep(50)
    const watched = await watch.end()
    stream.close()

    expect(watched["hits"]).toEqual([])
    expect(watched["programs"]).toEqual(expect.arrayContaining(["git-remote-http", "sh"]))
    expect(JSON.stringify((await docker.listImages()).map(({ Id }) => Id).toSorted())).toBe(images)

    const calls = (await errand.call("GET", `tasks/${id}/tool-calls`)).body["items"] as ReadonlyArray<Json>
    const { body: call } = await errand.call("GET", `tasks/${id}/tool-calls/${String(calls[0]?.["id"])}`)
    const output = String(call["output"])
    expect(output).toContain("searched")
    expect(output).toMatch(/^DEPLOY_KEY=errand_placeholder_/m)
    expect(output).not.toMatch(/^found in \//m)
    const places: Readonly<Record<string, string>> = {
      "what the task has found": output,
      "the container's configuration": container.inspected,
      "what the model was told": JSON.stringify(api.requests.map(({ body }) => body)),
      "the events": JSON.stringify(await errand.events(id)),
      "the stream": stream.frames.join("\n"),
      "the log": errand.output,
      "the traces": collector.requests.map(({ body, url }) => `${url} ${body}`).join("\n"),
      "the export": JSON.stringify((await errand.call("GET", `tasks/${id}/export`)).body),
      "the pushed repository": await Effect.runPromise(gitText(path, ["log", "-p", "--all"]))
    }
    expect(collector.mistakes).toEqual([])
    expect(collector.named("run")).toHaveLength(1)
    expect(collector.requests[0]?.headers["x-api-key"]).toBe(planted.collectorKey)
    // A trace has none of anybody's words either.
    expect(places["the traces"]).not.toMatch(/Search everything|searched|done\.txt|DEPLOY_KEY|private/)
    const leaks = [...container.leaks, ...Object.entries(places).flatMap(([where, text]) => found(where, text, texts))]
    expect(places["the log"]).toMatch(/level=DEBUG.*message=Answered\./)
    const files = filesBelow(errand.dataDir)
    expect(files.some((file) => file.endsWith("-wal"))).toBe(true)
    leaks.push(...filesWith(texts, errand.dataDir, errand.temporaryDir))
    expect(leaks).toEqual([])
    expect(stream.frames.length).toBeGreaterThan(5)
    expect(container.bytes).toBeGreaterThan(1_000_000)
  })
})
