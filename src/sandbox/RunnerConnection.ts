/**
 * One connection to a runner, shared by all that goes on in its sandbox at the same time.
 *
 * Callbacks and no fibers: a command costs a few frames, and each would cost more as an effect than in itself.
 */
import type { Duplex } from "node:stream"
import { Demultiplexer } from "./Demultiplexer.ts"
import { Answer, encode, FrameReader, Request, saysChanged } from "./frames.ts"
import { KeptOutput } from "./KeptOutput.ts"

/** Who waits for the answers to a request. */
export interface Listener {
  readonly onAnswer: (type: number, body: Buffer) => void
  /** No answer will come any more. Called at once when the connection was lost before. */
  readonly onLost: () => void
}

/** Bytes of the runner's own complaints that are kept. */
const complaintBytes = 2_048

export class RunnerConnection {
  readonly #stream: Duplex
  readonly #listeners = new Map<number, Listener>()
  readonly #complaint = new KeptOutput(0, complaintBytes)
  #lastId = 0
  #lost: string | undefined
  /** Pieces that have come so far: it stands still when nothing comes. */
  received = 0
  /** Something in the work tree may have changed since this was set to false. */
  treeChanged = true
  /** How its work tree went beyond its budget, in words; that ends it. */
  exceeded: string | undefined

  constructor(stream: Duplex) {
    this.#stream = stream
    const frames = new FrameReader((type, id, body) => {
      if (saysChanged(type, body)) this.treeChanged = true
      if (type === Answer.exceeded) this.#exceed(body.toString())
      this.#listeners.get(id)?.onAnswer(type, body)
    })
    const channels = new Demultiplexer((channel, bytes) => {
      if (channel === 2) this.#complaint.push(bytes)
      else if (!frames.push(bytes)) this.lose("its runner sent nonsense")
    })
    stream.on("data", (piece: Buffer) => {
      this.received++
      channels.push(piece)
    })
    stream.on("error", (error) => this.lose(`the connection to it broke: ${error.message}`))
    stream.on("close", () => this.lose("it ended"))
    stream.on("end", () => this.lose("it ended"))
  }

  get isWaitedFor(): boolean {
    return this.#listeners.size > 0
  }

  /** Why nothing works any more, once that is so. */
  get whyLost(): string | undefined {
    return this.#lost
  }

  /** The last line that the runner, or who failed to start it, wrote to standard error. */
  get complaint(): string {
    return this.#complaint.text.trim().split("\n").at(-1) ?? ""
  }

  /** Gives a request its id. */
  listen(listener: Listener): number {
    const id = ++this.#lastId
    this.listenAgain(id, listener)
    return id
  }

  /** Answers to request `id` go to `listener` from now on. */
  listenAgain(id: number, listener: Listener): void {
    if (this.#lost === undefined) this.#listeners.set(id, listener)
    else listener.onLost()
  }

  forget(id: number): void {
    this.#listeners.delete(id)
  }

  isOpen(id: number): boolean {
    return this.#listeners.has(id)
  }

  send(type: number, id: number, ...body: ReadonlyArray<Uint8Array>): void {
    if (this.#lost === undefined) this.#stream.write(encode(type, id, ...body))
  }

  /** What is sent before the first frame: the runner's own text. */
  sendText(text: string): void {
    this.#stream.write(text)
  }

  ping(): void {
    this.send(Request.ping, 0)
  }

  #exceed(words: string): void {
    this.exceeded = words
    this.lose("it used too much of the disk")
  }

  lose(reason: string): void {
    if (this.#lost !== undefined) return
    this.#lost = reason
    this.#stream.destroy()
    const listeners = [...this.#listeners.values()]
    this.#listeners.clear()
    for (const listener of listeners) listener.onLost()
  }
}
