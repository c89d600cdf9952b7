/** A Docker engine that belongs to one test, beside the machine's: it can be stopped and started again. */
import Docker from "dockerode"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

const image = "errand-sandbox:latest"
const answerWithinMs = 60_000

/** Why there can't be one here, with these other runtimes; empty when there can. */
export const missingForOwnEngine = (runtimes: ReadonlyArray<string> = []): string => {
  if (process.getuid?.() !== 0) return "only root can start a Docker engine"
  try {
    execFileSync("dockerd", ["--version"], { stdio: "ignore" })
    execFileSync("ip", ["-V"], { stdio: "ignore" })
  } catch {
    return "dockerd or ip is not installed"
  }
  const absent = runtimes.filter((name) => !existsSync(`/usr/bin/${name}`))
  return absent.length === 0 ? "" : `not installed: ${absent.join(", ")}`
}

/** Without a network of its own this runtime takes the container's for the host's; sockets of the host are off by default. */
const runtimeArgs: Readonly<Record<string, ReadonlyArray<string>>> = {
  runsc: ["--network=none", "--host-uds=open"]
}

/** Among mounts of its own: crun refuses a host that has both versions of cgroups, and sees only the first like this. */
const startDaemon = `umount /sys/fs/cgroup/unified 2>/dev/null; exec dockerd "$0" "$@"`

export class OwnEngine {
  readonly #directory = mkdtempSync(join(tmpdir(), "errand-engine-"))
  /** With none the engine would take the bridge of the machine's own engine down. */
  readonly #bridge = `errand${process.pid % 100_000}`
  readonly docker = new Docker({ socketPath: join(this.#directory, "docker.sock") })
  readonly #runtimes: ReadonlyArray<string>
  #daemon: ChildProcess | undefined

  /** Other OCI runtimes that it has, by the names of their programs. */
  constructor(runtimes: ReadonlyArray<string> = []) {
    this.#runtimes = runtimes
  }

  /** As DOCKER_HOST has it. */
  get address(): string {
    return `unix://${join(this.#directory, "docker.sock")}`
  }

  /** Starts for the first time, with the image of the sandboxes. */
  async prepare(): Promise<void> {
    execFileSync("ip", ["link", "add", "name", this.#bridge, "type", "bridge"])
    execFileSync("ip", ["addr", "add", "10.213.213.1/29", "dev", this.#bridge])
    await this.start()
    const saved = spawn("docker", ["save", image], { stdio: ["ignore", "pipe", "inherit"] })
    const loaded = spawn("docker", ["--host", this.address, "load", "--quiet"], {
      stdio: [saved.stdout, "ignore", "inherit"]
    })
    const [code] = (await once(loaded, "exit")) as [number]
    if (code !== 0) throw new Error(`${image} could not be loaded`)
  }

  async start(): Promise<void> {
    const log = openSync(join(this.#directory, "log"), "a")
    const place = (name: string) => join(this.#directory, name)
    const runtimes = Object.fromEntries(
      this.#runtimes.map((name) => [name, { path: `/usr/bin/${name}`, runtimeArgs: runtimeArgs[name] ?? [] }])
    )
    writeFileSync(place("daemon.json"), JSON.stringify({ runtimes }))
    this.#daemon = spawn(
      "unshare",
      [
        "--mount",
        "sh",
        "-c",
        startDaemon,
        `--host=${this.address}`,
        `--data-root=${place("data")}`,
        `--exec-root=${place("exec")}`,
        `--pidfile=${place("pid")}`,
        `--bridge=${this.#bridge}`,
        `--config-file=${place("daemon.json")}`,
        "--iptables=false",
        "--ip-forward=false",
        "--ip-masq=false"
      ],
      { stdio: ["ignore", log, log] }
    )
    const deadline = Date.now() + answerWithinMs
    while (
      !(await this.docker.ping().then(
        () => true,
        () => false
      ))
    ) {
      if (Date.now() > deadline) throw new Error(`no engine: ${readFileSync(place("log"), "utf8").slice(-3_000)}`)
      await sleep(100)
    }
  }

  /** In order, which stops all containers: killed outright, this version of the engine does not always start again. */
  async stop(): Promise<void> {
    const daemon = this.#daemon
    if (daemon === undefined) return
    this.#daemon = undefined
    daemon.kill("SIGTERM")
    if (daemon.exitCode === null && daemon.signalCode === null) await once(daemon, "exit")
  }

  async dispose(): Promise<void> {
    await this.stop()
    execFileSync("ip", ["link", "delete", this.#bridge])
    // The engine mounts its data over itself, and may leave that behind.
    while (this.#isMounted()) execFileSync("umount", ["--recursive", join(this.#directory, "data")])
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 5 })
  }

  #isMounted(): boolean {
    return readFileSync("/proc/self/mounts", "utf8").includes(` ${join(this.#directory, "data")} `)
  }
}
