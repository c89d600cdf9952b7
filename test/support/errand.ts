/** The built server as a process of its own, and a client of it, for end-to-end tests. */
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { cpSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

export const bundle = fileURLToPath(new URL("../../dist/errand.mjs", import.meta.url))
/** The same with the fault points of test/faults. */
export const bundleWithFaults = fileURLToPath(new URL("../../dist/errand-faults.mjs", import.meta.url))
const run = promisify(execFile)

/** Only what the test says, and what every process needs. */
const baseEnvironment = { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "/tmp", NO_COLOR: "1" }

/** An answer as it came: tests say what they expect of it. */
export interface Json {
  // oxlint-disable-next-line no-explicit-any -- what the server sends is what is under test
  readonly [key: string]: any
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Json
}

/** One data directory and the servers that live on it, one after the other. */
export class Errand {
  readonly dataDir = mkdtempSync(join(tmpdir(), "errand e2e "))
  /** What its servers take for the system's place for temporary files. */
  readonly temporaryDir = mkdtempSync(join(tmpdir(), "errand e2e tmp "))
  readonly environment: Readonly<Record<string, string>>
  url = ""
  token = ""
  output = ""
  readonly #bundle: string
  #process: ChildProcess | undefined

  constructor(environment: Readonly<Record<string, string>>, program = bundle) {
    this.#bundle = program
    this.environment = {
      ...baseEnvironment,
      ERRAND_DATA_DIR: this.dataDir,
      ERRAND_PORT: "0",
      TMPDIR: this.temporaryDir,
      ...environment
    }
  }

  /** Begins with the users of another one that has never been started: making tokens takes time. */
  takeUsersOf(other: Errand): void {
    cpSync(other.dataDir, this.dataDir, { recursive: true })
    this.token = other.token
  }

  get pid(): number {
    return this.#process?.pid ?? 0
  }

  /** Starts a server and returns when it answers. `more` is for this life only. */
  async start(more: Readonly<Record<string, string>> = {}): Promise<void> {
    const child = spawn(process.execPath, [this.#bundle, "serve", "--json"], { env: { ...this.environment, ...more } })
    this.#process = child
    child.stderr.on("data", (chunk: Buffer) => {
      this.output = (this.output + chunk.toString()).slice(-100_000)
    })
    let answers = false
    for await (const line of createInterface(child.stdout)) {
      const message = JSON.parse(line) as Json
      if (message["type"] === "listening") {
        this.url = String(message["url"])
        answers = true
        child.stdout.resume()
        break
      }
    }
    if (!answers) {
      await this.ended()
      throw new Error(`the server did not start: ${this.output}`)
    }
    if (this.token === "") this.token = await this.makeToken("tester")
  }

  /** Waits until there is no process any more; gives its exit code, null when it was killed. */
  async ended(): Promise<number | null> {
    const child = this.#process
    if (child === undefined) return null
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit")
    return child.exitCode
  }

  /** Sends a signal and waits for the end; gives the exit code (null when killed) and how long it took. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<{ readonly code: number | null; readonly ms: number }> {
    const start = performance.now()
    this.#process?.kill(signal)
    const code = await this.ended()
    return { code, ms: performance.now() - start }
  }

  async dispose(): Promise<void> {
    await this.stop("SIGTERM")
    for (const directory of [this.dataDir, this.temporaryDir]) rmSync(directory, { recursive: true, force: true })
  }

  /** Runs a command of the command line to its end. */
  async command(...args: ReadonlyArray<string>) {
    return await run(process.execPath, [this.#bundle, ...args], { env: this.environment, timeout: 60_000 })
  }

  async makeToken(login: string): Promise<string> {
    const { stdout } = await this.command("token", "create", "--login", login, "--json")
    return String((JSON.parse(stdout) as Json)["token"])
  }

  async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {}
  ): Promise<Answer> {
    const response = await fetch(`${this.url}${path.startsWith("/") ? path : `/api/v1/${path}`}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const text = await response.text()
    const isJson = response.headers.get("content-type")?.includes("json") === true
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : { text } }
  }

  async submit(task: Json): Promise<Json> {
    const { body, status } = await this.call("POST", "tasks", task)
    if (status !== 201) throw new Error(`not accepted: ${status} ${JSON.stringify(body)}`)
    return body
  }

  async task(id: string): Promise<Json> {
    return (await this.call("GET", `tasks/${id}`)).body
  }

  async events(id: string, after = 0): Promise<ReadonlyArray<Json>> {
    const all: Array<Json> = []
    while (true) {
      const from = all.at(-1)?.["seq"] ?? after
      const { body } = await this.call("GET", `tasks/${id}/events?after=${from}&limit=500`)
      const items: ReadonlyArray<Json> = body["items"]
      all.push(...items)
      if (items.length === 0) return all
    }
  }

  /** Asks until the task is as wished. */
  async until(id: string, wished: (task: Json) => boolean, ms = 60_000): Promise<Json> {
    const deadline = Date.now() + ms
    while (true) {
      const task = await this.task(id).catch(() => ({}) as Json)
      if (wished(task)) return task
      if (Date.now() > deadline) {
        const events = await this.events(id).catch(() => [])
        throw new Error(
          `task ${id} is still ${JSON.stringify(task)}\n${JSON.stringify(events.slice(-5))}\n${this.output.slice(-3000)}`
        )
      }
      await sleep(50)
    }
  }

  final = (id: string, ms?: number) =>
    this.until(id, ({ status }) => ["completed", "failed", "cancelled", "paused"].includes(status), ms)
}
