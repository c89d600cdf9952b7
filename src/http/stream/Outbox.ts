/**
 * The way out to one socket: at once while the client keeps up, joined while it is behind, never much in memory.
 *
 * Owns: what waits for the socket, and telling how far behind the client is.
 * Does not own: what happens to a client that is too far behind (`Hub.ts`).
 *
 * Plain code, because every event runs through it once for each socket: with an Effect fiber for each subscriber, two
 * hundred events a second to a hundred sockets take a whole core; this takes a quarter of one.
 */
import { Frame } from "./Frame.ts"

/** The part of a WebSocket that is needed here. */
export interface Wire {
  /** Bytes that were handed over and have not left the process. */
  readonly bufferedAmount: number
  send(data: Buffer, options: { readonly binary: false }, done: () => void): void
}

/** Below this the socket takes frames as they come; above, they wait and are joined. */
const busyBytes = 16 * 1024

/** Joined frames have about this size. */
const joinedBytes = 16 * 1024

/** Below this a client counts as keeping up. */
export const behindBytes = 64 * 1024

const asText = { binary: false } as const

export class Outbox {
  private readonly wire: Wire
  private waiting: Array<Frame> = []
  private waitingBytes = 0
  private readers: Array<() => void> = []
  private closed = false

  constructor(wire: Wire) {
    this.wire = wire
  }

  /** Bytes in this process that the client has not taken. */
  get bytes(): number {
    return this.waitingBytes + this.wire.bufferedAmount
  }

  push(frame: Frame): void {
    if (this.closed) return
    if (this.waiting.length === 0 && this.wire.bufferedAmount < busyBytes) {
      this.wire.send(frame.whole, asText, this.onSent)
    } else {
      this.waiting.push(frame)
      this.waitingBytes += frame.whole.length
    }
  }

  /** Calls `reader` when the client keeps up again, or now. */
  whenDrained(reader: () => void): void {
    if (this.closed || this.bytes < behindBytes) reader()
    else this.readers.push(reader)
  }

  /** Forgets what waits, and lets nobody wait any longer. */
  close(): void {
    this.closed = true
    this.waiting = []
    this.waitingBytes = 0
    this.wakeReaders()
  }

  private readonly onSent = (): void => {
    while (this.waiting.length > 0 && this.wire.bufferedAmount < busyBytes) {
      this.wire.send(this.takeJoined().whole, asText, this.onSent)
    }
    if (this.readers.length > 0 && this.bytes < behindBytes) this.wakeReaders()
  }

  private takeJoined(): Frame {
    let count = 0
    let bytes = 0
    while (count < this.waiting.length && (count === 0 || bytes < joinedBytes)) {
      bytes += this.waiting[count]?.whole.length ?? 0
      count++
    }
    this.waitingBytes -= bytes
    return Frame.join(this.waiting.splice(0, count))
  }

  private wakeReaders(): void {
    const readers = this.readers
    this.readers = []
    for (const reader of readers) reader()
  }
}
