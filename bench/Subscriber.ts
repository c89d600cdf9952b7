/** A client of the server's stream, as a phone is one: follows tasks over one WebSocket and misses nothing. */
import { WebSocket } from "ws"
import { now } from "./clock.ts"
import type { Written } from "./conversations.ts"
import { settings } from "./settings.ts"

/** A frame as far as it matters here. */
interface Frame {
  readonly type: string
  readonly stream?: string
  readonly seq?: number
  readonly event?: { readonly type: string; readonly [field: string]: unknown }
  readonly item?: string
  readonly offset?: number
  readonly text?: string
}

interface Follower {
  seq: number
  /** The text of the model that is being written. */
  text: Array<Written>
  readonly resolve: (text: ReadonlyArray<Written>) => void
  readonly reject: (reason: Error) => void
}

const badEnds: ReadonlyArray<string> = ["task.failed", "task.cancelled", "task.paused", "task.waiting"]

export class Subscriber {
  readonly #socket: WebSocket
  readonly #followers = new Map<string, Follower>()

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on("message", (data: Buffer) => {
      const at = now()
      const frames: Frame | ReadonlyArray<Frame> = JSON.parse(data.toString())
      for (const frame of [frames].flat()) this.#take(frame, at)
    })
    socket.on("close", (code) => this.#failAll(`the stream was closed with ${code}`))
  }

  static async connect(url: string, token: string): Promise<Subscriber> {
    const address = `${url.replace(/^http/, "ws")}/api/v1/stream`
    const socket = new WebSocket(address, { headers: { authorization: `Bearer ${token}` } })
    await new Promise((resolve, reject) => {
      socket.once("open", resolve)
      socket.once("error", reject)
    })
    return new Subscriber(socket)
  }

  /** Follows a task from its first event to its completion; gives when the text of its last answer came. */
  follow(taskId: string): Promise<ReadonlyArray<Written>> {
    const stream = `task:${taskId}`
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${stream} did not end in time`)), settings.phaseMs)
      const settled = <A>(settle: (value: A) => void) => {
        return (value: A) => {
          clearTimeout(timer)
          settle(value)
        }
      }
      this.#followers.set(stream, { seq: 0, text: [], resolve: settled(resolve), reject: settled(reject) })
      this.#socket.send(JSON.stringify({ type: "subscribe", stream, after: 0 }))
    })
  }

  close(): void {
    this.#socket.close()
  }

  #take(frame: Frame, at: number): void {
    if (frame.type === "error" || frame.type === "reset") this.#failAll(JSON.stringify(frame))
    const follower = this.#followers.get(frame.stream ?? "")
    if (follower === undefined) return
    if (frame.type === "preview" && frame.item?.startsWith("msg_") === true) {
      if (frame.offset === 0) follower.text = []
      follower.text.push({ at, characters: (frame.offset ?? 0) + (frame.text ?? "").length })
    }
    if (frame.type !== "event") return
    if (frame.seq !== follower.seq + 1) follower.reject(new Error(`event ${frame.seq} came after ${follower.seq}`))
    follower.seq = frame.seq ?? 0
    const type = frame.event?.type ?? ""
    if (type === "task.completed") follower.resolve(follower.text)
    if (badEnds.includes(type))
      follower.reject(new Error(`a task of the benchmark ended: ${JSON.stringify(frame.event)}`))
  }

  #failAll(reason: string): void {
    for (const follower of this.#followers.values()) follower.reject(new Error(reason))
  }
}
