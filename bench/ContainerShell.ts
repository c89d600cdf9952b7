/** One shell in a hardened container, fed through one pipe for as long as it lives: the leanest sandbox there is. */
import { randomUUID } from "node:crypto"
import Docker from "dockerode"

const docker = new Docker()
const mebibyte = 1024 * 1024

/** The frame header that the engine puts before each piece of output: stream, three zeros, length. */
const headerBytes = 8

const hostConfig: Docker.HostConfig = {
  AutoRemove: true,
  Init: true,
  NetworkMode: "none",
  IpcMode: "private",
  ReadonlyRootfs: true,
  CapDrop: ["ALL"],
  SecurityOpt: ["no-new-privileges"],
  Tmpfs: { "/tmp": "rw,nosuid,nodev,exec,size=512m,mode=1777" },
  Mounts: [{ Type: "volume", Source: "", Target: "/workspace" }],
  PidsLimit: 512,
  Memory: 1024 * mebibyte,
  MemorySwap: 1024 * mebibyte,
  LogConfig: { Type: "none", Config: {} }
}

export class ContainerShell {
  /** Ends the output of each command: no command writes it by chance. */
  readonly #mark = `end-${randomUUID()}`
  readonly #container: Docker.Container
  readonly #pipe: NodeJS.ReadWriteStream
  #frames: Buffer = Buffer.alloc(0)
  #output = ""
  #done: ((output: string) => void) | undefined

  private constructor(container: Docker.Container, pipe: NodeJS.ReadWriteStream) {
    this.#container = container
    this.#pipe = pipe
    pipe.on("data", (bytes: Buffer) => this.#take(bytes))
  }

  /** `label` (`name=value`) marks the container, so that whoever started the process can remove it. */
  static async open(image: string, label: string): Promise<ContainerShell> {
    const [name = "", value = ""] = label.split("=")
    const container = await docker.createContainer({
      Image: image,
      Cmd: ["bash"],
      User: "1000:1000",
      WorkingDir: "/workspace",
      OpenStdin: true,
      StdinOnce: true,
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      Labels: { [name]: value },
      HostConfig: hostConfig
    })
    const pipe = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true })
    const shell = new ContainerShell(container, pipe)
    await container.start()
    return shell
  }

  /** What a command writes, standard output and error together. One command at a time. */
  run(command: string): Promise<string> {
    return new Promise((resolve) => {
      this.#done = resolve
      this.#pipe.write(`{ ${command}\n} 2>&1\necho ${this.#mark}\n`)
    })
  }

  async close(): Promise<void> {
    await this.#container.remove({ force: true, v: true })
  }

  #take(bytes: Buffer): void {
    this.#frames = this.#frames.length === 0 ? bytes : Buffer.concat([this.#frames, bytes])
    for (;;) {
      const length = this.#frames.length < headerBytes ? Infinity : this.#frames.readUInt32BE(4)
      if (this.#frames.length < headerBytes + length) break
      this.#output += this.#frames.toString("utf8", headerBytes, headerBytes + length)
      this.#frames = this.#frames.subarray(headerBytes + length)
    }
    const end = this.#output.indexOf(`${this.#mark}\n`)
    if (end < 0) return
    const output = this.#output.slice(0, end)
    this.#output = this.#output.slice(end + this.#mark.length + 1)
    this.#done?.(output)
  }
}
