/**
 * A server under a load of writes with Litestream beside it, killed together and restored from the replica alone.
 *
 * Owns: the load, what was acknowledged and when, and what of it a restore brought back.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { bundle, Errand, type Json } from "./errand.ts"
import type { S3 } from "./s3.ts"

const litestream = createRequire(import.meta.url).resolve("@flydotio/litestream-linux-x64/litestream")
const writesPerSecond = 200
const mostAtOnce = 64

interface Acknowledged {
  readonly task: string
  readonly seq: number
  /** When its answer had come, in milliseconds. */
  readonly at: number
}

export interface Round {
  readonly seconds: number
  readonly writes: number
  /** Acknowledged and not restored. */
  readonly lost: number
  /** From the first write that was lost to the kill. */
  readonly lostMs: number
  readonly restoreMs: number
}

export class RestoreDrill {
  readonly errand: Errand
  readonly #configuration: string
  readonly #metricsPort: number
  #litestream: ChildProcess | undefined
  tasks: ReadonlyArray<string> = []
  epoch = ""

  constructor(s3: S3, metricsPort: number) {
    this.#metricsPort = metricsPort
    this.errand = new Errand(
      {
        ANTHROPIC_API_KEY: "sk-test",
        // Tasks stay in the queue, where they can be written to for ever.
        DOCKER_HOST: "unix:///nonexistent/docker.sock",
        ERRAND_LITESTREAM_URL: `http://127.0.0.1:${metricsPort}/metrics`,
        LITESTREAM_ACCESS_KEY_ID: "id",
        LITESTREAM_SECRET_ACCESS_KEY: "secret",
        PATH: `${dirname(litestream)}:${process.env["PATH"] ?? ""}`
      },
      bundle
    )
    this.#configuration = join(this.errand.temporaryDir, "litestream.yml")
    writeFileSync(
      this.#configuration,
      `addr: 127.0.0.1:${metricsPort}
dbs:
  - path: ${this.errand.dataDir}/errand.db
    replicas:
      - type: s3
        bucket: backups
        path: errand
        region: us-east-1
        endpoint: ${s3.url}
        force-path-style: true
        sync-interval: 1s
`
    )
  }

  async start(): Promise<void> {
    await this.errand.start()
    this.#litestream = spawn(litestream, ["replicate", "-config", this.#configuration], {
      env: this.errand.environment,
      stdio: "ignore"
    })
    while (!(await this.#answers())) await sleep(50)
    if (this.tasks.length > 0) return
    const submitted = Array.from({ length: 8 }, async (_, index) => {
      const { id } = await this.errand.submit({
        repository: { url: "https://example.com/a/b" },
        prompt: `Number ${index}`,
        network: { mode: "none" }
      })
      return String(id)
    })
    this.tasks = await Promise.all(submitted)
  }

  async #answers(): Promise<boolean> {
    return await fetch(`http://127.0.0.1:${this.#metricsPort}/metrics`).then(
      async (response) => (await response.text()).includes("litestream_replica_wal_offset"),
      () => false
    )
  }

  /** Writes for a while, kills everything in the middle of it, throws the database away and restores it. */
  async round(seconds: number): Promise<Round> {
    const acknowledged: Array<Acknowledged> = []
    const { epoch } = (await this.errand.call("GET", "tasks")).body
    const begin = Date.now()
    let sent = 0
    const open = new Set<Promise<void>>()
    while (Date.now() - begin < seconds * 1000) {
      while (sent < ((Date.now() - begin) / 1000) * writesPerSecond && open.size < mostAtOnce) {
        const task = this.tasks[sent % this.tasks.length] ?? ""
        const settled = this.#write(task, (sent += 1), acknowledged).finally(() => open.delete(settled))
        open.add(settled)
      }
      await sleep(5)
    }
    const killedAt = Date.now()
    await this.#killAll()
    await Promise.all(open)
    const before = acknowledged.filter(({ at }) => at <= killedAt)
    for (const part of ["", "-wal", "-shm"]) rmSync(`${this.errand.dataDir}/errand.db${part}`, { force: true })
    const restoring = performance.now()
    await this.errand.command("restore", this.#configuration)
    const restoreMs = performance.now() - restoring
    await this.start()
    const list: Json = (await this.errand.call("GET", "tasks")).body
    if (list["epoch"] === epoch) throw new Error("the log has its old epoch")
    const heads = new Map<string, number>()
    for (const task of this.tasks) heads.set(task, Number((await this.errand.task(task))["seq"]))
    const lost = before.filter(({ seq, task }) => seq > (heads.get(task) ?? 0))
    const first = lost.reduce((earliest, { at }) => Math.min(earliest, at), killedAt)
    return { seconds, writes: before.length, lost: lost.length, lostMs: killedAt - first, restoreMs }
  }

  /** An answer that the kill has cut off is none. */
  async #write(task: string, number: number, acknowledged: Array<Acknowledged>): Promise<void> {
    const answer = await this.errand.call("PATCH", `tasks/${task}`, { title: `Write ${number}` }).catch(() => undefined)
    if (answer?.status === 200) acknowledged.push({ task, seq: Number(answer.body["seq"]), at: Date.now() })
  }

  /** Gapless from 1 to the head, as a client would read them. */
  async gaps(): Promise<ReadonlyArray<string>> {
    const found: Array<string> = []
    for (const task of this.tasks) {
      const events = await this.errand.events(task)
      if (events.some(({ seq }, index) => seq !== index + 1)) found.push(task)
    }
    return found
  }

  async #killAll(): Promise<void> {
    const beside = this.#litestream
    beside?.kill("SIGKILL")
    await this.errand.stop("SIGKILL")
    if (beside !== undefined && beside.exitCode === null && beside.signalCode === null) await once(beside, "exit")
  }

  async dispose(): Promise<void> {
    await this.#killAll()
    await this.errand.dispose()
  }
}
