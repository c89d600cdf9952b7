/** A way to the engine's socket over TCP on loopback that can hold requests back. */
import { connect, createServer, type Server, type Socket } from "node:net"

export class EngineProxy {
  /** As DOCKER_HOST has it. */
  address = ""
  /** Requests whose bytes contain this wait for `release`. */
  hold: string | undefined
  /** While it is, nothing goes either way, as with an engine that hangs. */
  hung = false
  readonly #held: Array<() => void> = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor(socketPath = "/var/run/docker.sock") {
    this.#server = createServer((client) => {
      const engine = connect(socketPath)
      for (const [from, to] of [
        [client, engine],
        [engine, client]
      ] as const) {
        this.#sockets.add(from)
        from.on("error", () => to.destroy())
        from.on("close", () => {
          this.#sockets.delete(from)
          to.destroy()
        })
      }
      const pass = (to: Socket, chunk: Buffer, holds: boolean) => {
        if (holds) this.#held.push(() => to.write(chunk))
        else to.write(chunk)
      }
      engine.on("data", (chunk: Buffer) => pass(client, chunk, this.hung))
      client.on("data", (chunk: Buffer) =>
        pass(engine, chunk, this.hung || (this.hold !== undefined && chunk.toString("latin1").includes(this.hold)))
      )
      engine.on("end", () => client.end())
      client.on("end", () => engine.end())
    })
  }

  get held(): number {
    return this.#held.length
  }

  release(): void {
    this.hold = undefined
    this.hung = false
    for (const pass of this.#held.splice(0)) pass()
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve))
    const address = this.#server.address()
    this.address = `tcp://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
  }

  /** Cuts every connection, as an engine that goes down does. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async stop(): Promise<void> {
    this.cut()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }
}
