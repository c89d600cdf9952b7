/**
 * One client's place in one stream.
 *
 * Owns: the order of events for this client: the backlog first, what came meanwhile next, then live, each event once.
 * Does not own: reading the backlog (`replay.ts`), who listens to what (`Hub.ts`).
 */
import type { StreamName } from "../../services/EventBus.ts"
import { clientName, Frame } from "./Frame.ts"
import type { Outbox } from "./Outbox.ts"

/** A client that is behind by more loses its subscriptions, and starts from a snapshot. */
const slowBytes = 1024 * 1024

/** What is held while the backlog is read; more is read from the log once again. */
const heldBytes = 256 * 1024

interface Held {
  readonly first: number
  readonly last: number
  readonly frame: Frame
}

/** `over`: a reset was sent; `gap`: what came does not follow what was sent, so the log must be read again. */
type Delivered = "sent" | "held" | "over" | "gap"

export class Subscription {
  readonly stream: StreamName
  readonly name: string
  private readonly outbox: Outbox
  private held: Array<Held> = []
  private heldSize = 0
  private lost = false
  /** Events arrive directly; before, they are held. */
  live = false
  /** The number of the last event that was sent. */
  sent: number

  constructor(stream: StreamName, outbox: Outbox, after: number) {
    this.stream = stream
    this.name = clientName(stream)
    this.outbox = outbox
    this.sent = after
  }

  /** News: events `first` to `last`, in one frame. */
  deliver(first: number, last: number, frame: Frame): Delivered {
    if (!this.live) return this.hold({ first, last, frame })
    if (last <= this.sent) return "sent"
    if (first !== this.sent + 1) {
      this.live = false
      return "gap"
    }
    if (this.outbox.bytes + frame.whole.length > slowBytes) {
      this.reset("slow", last)
      return "over"
    }
    this.outbox.push(frame)
    this.sent = last
    return "sent"
  }

  /** Part of the backlog, which must follow what was sent. */
  replay(last: number, frame: Frame): void {
    this.outbox.push(frame)
    this.sent = last
  }

  /** Sends what was held and goes live; false when the log must be read again because too much came meanwhile. */
  goLive(): boolean {
    const held = this.held
    const complete = !this.lost
    this.held = []
    this.heldSize = 0
    this.lost = false
    for (const { first, last, frame } of held) {
      if (last <= this.sent) continue
      if (!complete || first !== this.sent + 1) return false
      this.replay(last, frame)
    }
    this.live = complete
    return complete
  }

  reset(reason: "epoch" | "ahead" | "slow", head: number): void {
    this.outbox.push(Frame.of({ type: "reset", stream: this.name, reason, head }))
  }

  private hold(news: Held): Delivered {
    this.heldSize += news.frame.whole.length
    if (this.heldSize > heldBytes) {
      this.held = []
      this.lost = true
    } else {
      this.held.push(news)
    }
    return "held"
  }
}
