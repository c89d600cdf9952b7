/**
 * One open socket, as the hub sees it.
 *
 * Owns: its subscriptions, how long it has been silent or stuck, and closing it.
 * Does not own: what its client says (`converse.ts`).
 */
import type { Socket } from "node:net"
import { Option } from "effect"
import { WebSocket } from "ws"
import type { Principal } from "../../services/Accounts.ts"
import { behindBytes, Outbox, type Wire } from "./Outbox.ts"
import type { Subscription } from "./Subscription.ts"

/** Seconds without taking a byte, while there are bytes to take. */
const mostStuckSeconds = 20

export const closeCodes = {
  goingAway: 1001,
  policy: 1008,
  internalError: 1011,
  tryAgainLater: 1013,
  unauthenticated: 4401
} as const

/** So much leaves at once: that much more in one turn would look like a client that does not read. */
const gatheredBytes = 8 * 1024

/** Milliseconds between two writes to a socket: nobody sees the difference, and a write costs as much as ten frames. */
const betweenWrites = 5

/** What is sent in one turn of the event loop, or too soon after the last write, leaves in one: a step of a task is some six frames. */
const gathering = (socket: WebSocket, transport: Socket): Wire => {
  let corked = false
  let writtenAt = -betweenWrites
  const release = () => {
    if (!corked) return
    corked = false
    writtenAt = performance.now()
    transport.uncork()
  }
  const releaseInTime = () => {
    const rest = writtenAt + betweenWrites - performance.now()
    // @effect-diagnostics-next-line globalTimers:off -- outside of any effect
    if (rest > 0) setTimeout(release, rest)
    else setImmediate(release)
  }
  return {
    get bufferedAmount() {
      return socket.bufferedAmount
    },
    send: (data, options, done) => {
      if (!corked) {
        corked = true
        transport.cork()
        releaseInTime()
      }
      socket.send(data, options, done)
      if (socket.bufferedAmount >= gatheredBytes) release()
    }
  }
}

export class Connection {
  readonly outbox: Outbox
  readonly subscriptions = new Map<string, Subscription>()
  principal: Option.Option<Principal> = Option.none()
  /** Hidden clients get no previews: nobody would see them. */
  visible = true
  /** Of the client, for the limit of those that have not signed in. */
  readonly address: string
  private readonly socket: WebSocket
  private readonly transport: Socket
  private written = 0
  private stuckSeconds = 0
  private unansweredPings = 0

  constructor(socket: WebSocket, transport: Socket, address: string) {
    this.address = address
    this.socket = socket
    this.transport = transport
    this.outbox = new Outbox(gathering(socket, transport))
    socket.on("pong", () => {
      this.unansweredPings = 0
    })
    // Answers to pings are counted as well, or a client that only sends pings would fill the memory.
    socket.on("ping", (data) => {
      if (this.outbox.bytes < behindBytes) socket.pong(data)
    })
    socket.on("close", () => this.outbox.close())
  }

  /** False as soon as one side wants to end it. */
  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN
  }

  close(code: number, reason: string): void {
    this.socket.close(code, reason)
  }

  /** A preview is for those who see it now and keep up. */
  get takesPreviews(): boolean {
    return this.visible && this.outbox.bytes < behindBytes
  }

  /** Called every second. */
  closeIfStuck(): void {
    const { bytesWritten } = this.transport
    const stuck = this.outbox.bytes >= behindBytes && bytesWritten === this.written
    this.written = bytesWritten
    this.stuckSeconds = stuck ? this.stuckSeconds + 1 : 0
    if (this.stuckSeconds === mostStuckSeconds) this.close(closeCodes.tryAgainLater, "the client does not read")
  }

  /** Called at every heartbeat: two pings without an answer mean that nobody is there. */
  heartbeat(): void {
    if (this.unansweredPings >= 2) return this.socket.terminate()
    this.unansweredPings++
    if (this.isOpen) this.socket.ping()
  }
}
