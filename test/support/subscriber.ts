/** A client of the stream that keeps count: every event of a stream must come once, in order, without gaps. */
import { once } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"
import { WebSocket } from "ws"
import type { Errand, Json } from "./errand.ts"

export class Subscriber {
  /** The number of the newest event of each stream. */
  readonly last = new Map<string, number>()
  readonly faults: Array<string> = []
  received = 0
  previews = 0
  connections = 0
  readonly #errand: Errand
  readonly #streams: ReadonlyArray<string>
  #socket: WebSocket | undefined

  constructor(errand: Errand, streams: ReadonlyArray<string>) {
    this.#errand = errand
    this.#streams = streams
    for (const stream of streams) this.last.set(stream, 0)
  }

  /** Connects and subscribes to every stream after what it has; false when the server is not there. */
  async connect(): Promise<boolean> {
    const socket = new WebSocket(`${this.#errand.url.replace("http", "ws")}/api/v1/stream`, {
      headers: { authorization: `Bearer ${this.#errand.token}` }
    })
    this.#socket = socket
    socket.on("message", (data: Buffer) => this.#read(data))
    const opened = await new Promise<boolean>((resolve) => {
      socket.once("open", () => resolve(true))
      socket.once("error", () => resolve(false))
    })
    if (!opened) return false
    this.connections++
    for (const stream of this.#streams) {
      socket.send(JSON.stringify({ type: "subscribe", stream, after: this.last.get(stream) }))
    }
    return true
  }

  /** Waits until the connection has ended. */
  async closed(): Promise<void> {
    const socket = this.#socket
    if (socket !== undefined && socket.readyState !== WebSocket.CLOSED) await once(socket, "close")
  }

  /** Goes away without a word, as a phone in a tunnel does. */
  vanish(): void {
    this.#socket?.removeAllListeners("message")
    this.#socket?.on("error", () => undefined)
    this.#socket?.terminate()
  }

  /** Leaves what the server sends in the socket. */
  stopReading(): void {
    this.#socket?.pause()
  }

  async reaches(stream: string, seq: number, ms: number): Promise<boolean> {
    const deadline = Date.now() + ms
    while ((this.last.get(stream) ?? 0) < seq && Date.now() < deadline) await sleep(20)
    return (this.last.get(stream) ?? 0) >= seq
  }

  #read(data: Buffer): void {
    const parsed = JSON.parse(data.toString()) as Json | ReadonlyArray<Json>
    for (const frame of Array.isArray(parsed) ? parsed : [parsed]) this.#see(frame as Json)
  }

  #see(frame: Json): void {
    if (frame["type"] === "preview") this.previews++
    if (frame["type"] === "reset" || frame["type"] === "error") this.faults.push(JSON.stringify(frame))
    if (frame["type"] !== "event") return
    const stream = String(frame["stream"])
    const seq = Number(frame["seq"])
    const last = this.last.get(stream) ?? 0
    if (seq !== last + 1) this.faults.push(`${stream}: ${seq} after ${last}`)
    this.last.set(stream, seq)
    this.received++
  }
}
