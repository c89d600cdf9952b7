/**
 * From the news of the log to the sockets of those who subscribed.
 *
 * Owns: who listens to which stream, and looking after open connections: heartbeats, stuck clients, revoked devices.
 * Does not own: the log (`EventBus`), the conversation with one client (`converse.ts`).
 *
 * The listener is plain code on the path of every commit: it never waits, and encodes an event once for all.
 */
import { Array, Context, Effect, Layer, Option, Schedule } from "effect"
import { Accounts, type Principal } from "../../services/Accounts.ts"
import { AppConfig } from "../../services/AppConfig.ts"
import { EventBus, type News, type Preview, type StoredEvent, type StreamName } from "../../services/EventBus.ts"
import { recheckEvery } from "../revocation.ts"
import { closeCodes, type Connection } from "./Connection.ts"
import { clientName, eventsFrame, goneFrame, previewFrame } from "./Frame.ts"
import * as StreamMetrics from "./streamMetrics.ts"
import type { Subscription } from "./Subscription.ts"

export const heartbeatSeconds = 25

/** A server that holds more is being abused, or needs a sibling. */
const mostConnections = 4096

/** Where an event may end up; `onGap` is called when the log must be read again for this subscription. */
interface Listener {
  readonly connection: Connection
  readonly subscription: Subscription
  readonly onGap: () => void
}

export class Hub extends Context.Tag("errand/http/Hub")<
  Hub,
  {
    /** False when there are too many connections, in all or of this user; of an address while nobody has signed in. */
    readonly hasRoom: (principal: Option.Option<Principal>, address: string) => boolean
    readonly add: (connection: Connection) => void
    /** Forgets a connection and its subscriptions. */
    readonly remove: (connection: Connection) => void
    /** Lets news of the stream reach the subscription, in place of one that the connection had before. */
    readonly subscribe: (listener: Listener) => void
    readonly unsubscribe: (connection: Connection, name: string) => void
    /** Tells everybody who listens that the stream is gone. */
    readonly end: (stream: StreamName) => Effect.Effect<void>
    /** Closes the connections of devices that were revoked, or whose sessions are over. */
    readonly recheck: Effect.Effect<void>
  }
>() {}

class Registry {
  readonly connections = new Set<Connection>()
  readonly listeners = new Map<StreamName, Map<Connection, Listener>>()
  delivered = 0

  countOf(principal: Option.Option<Principal>, address: string): number {
    const isAlike = Option.match(principal, {
      onNone: () => (one: Connection) => Option.isNone(one.principal) && one.address === address,
      onSome:
        ({ user }) =>
        (one: Connection) =>
          Option.exists(one.principal, (other) => other.user.id === user.id)
    })
    let count = 0
    for (const connection of this.connections) if (isAlike(connection)) count++
    return count
  }

  subscribe(listener: Listener): void {
    const { connection, subscription } = listener
    this.unsubscribe(connection, subscription.name)
    connection.subscriptions.set(subscription.name, subscription)
    const listeners = this.listeners.get(subscription.stream) ?? new Map<Connection, Listener>()
    this.listeners.set(subscription.stream, listeners.set(connection, listener))
  }

  unsubscribe(connection: Connection, name: string): void {
    const subscription = connection.subscriptions.get(name)
    if (subscription === undefined) return
    connection.subscriptions.delete(name)
    const listeners = this.listeners.get(subscription.stream)
    listeners?.delete(connection)
    if (listeners?.size === 0) this.listeners.delete(subscription.stream)
  }

  end(stream: StreamName): void {
    for (const { connection, subscription } of this.listeners.get(stream)?.values() ?? []) {
      this.unsubscribe(connection, subscription.name)
      connection.outbox.push(goneFrame(subscription.name))
    }
  }

  readonly hear = (news: News): void => {
    if (news._tag === "Preview") return this.showPreview(news.preview)
    let start = 0
    while (start < news.events.length) {
      const stream = news.events[start]?.stream
      let end = start + 1
      while (end < news.events.length && news.events[end]?.stream === stream) end++
      this.deliver(news.events.slice(start, end))
      start = end
    }
  }

  private deliver(events: ReadonlyArray<StoredEvent>): void {
    const first = events[0]
    const last = events.at(-1)
    const listeners = first === undefined ? undefined : this.listeners.get(first.stream)
    if (first === undefined || last === undefined || listeners === undefined) return
    const frame = eventsFrame(clientName(first.stream), events)
    for (const { connection, subscription, onGap } of listeners.values()) {
      const result = subscription.deliver(first.seq, last.seq, frame)
      if (result === "over") this.unsubscribe(connection, subscription.name)
      if (result === "gap") onGap()
    }
    this.delivered += listeners.size * events.length
  }

  private showPreview(preview: Preview): void {
    const listeners = this.listeners.get(preview.stream)
    if (listeners === undefined) return
    const frame = previewFrame(clientName(preview.stream), preview)
    for (const { connection, subscription } of listeners.values()) {
      if (subscription.live && connection.takesPreviews) connection.outbox.push(frame)
    }
  }
}

/** Asks once for each device, however many connections it has. */
const recheck = (registry: Registry, accounts: typeof Accounts.Service) =>
  Effect.gen(function* () {
    const known = [...registry.connections].flatMap((connection) =>
      Option.toArray(Option.map(connection.principal, ({ deviceId }) => ({ connection, deviceId })))
    )
    for (const group of Object.values(Array.groupBy(known, ({ deviceId }) => deviceId))) {
      if (Option.isSome(yield* accounts.principal(group[0].deviceId))) continue
      for (const { connection } of group) connection.close(closeCodes.unauthenticated, "the device was revoked")
    }
  })

const every = (interval: "1 second" | "4 seconds" | "25 seconds", work: Effect.Effect<void>) =>
  work.pipe(
    Effect.catchAllCause((cause) => Effect.logError("Looking after the streams failed once.", cause)),
    Effect.repeat(Schedule.spaced(interval)),
    Effect.forkScoped
  )

export const layer = Layer.scoped(
  Hub,
  Effect.gen(function* () {
    const accounts = yield* Accounts
    const bus = yield* EventBus
    const { perUser } = yield* AppConfig
    const registry = new Registry()
    const each = (visit: (connection: Connection) => void) => Effect.sync(() => registry.connections.forEach(visit))
    const recheckAll = recheck(registry, accounts)

    yield* bus.listen(registry.hear)
    yield* every(
      "1 second",
      each((connection) => connection.closeIfStuck())
    )
    yield* every("1 second", StreamMetrics.report(registry))
    yield* every(recheckEvery, recheckAll)
    yield* every(
      `${heartbeatSeconds} seconds`,
      each((connection) => connection.heartbeat())
    )

    return Hub.of({
      hasRoom: (principal, address) =>
        registry.connections.size < mostConnections && registry.countOf(principal, address) < perUser.streams,
      add: (connection) => void registry.connections.add(connection),
      remove: (connection) => {
        for (const name of connection.subscriptions.keys()) registry.unsubscribe(connection, name)
        registry.connections.delete(connection)
      },
      subscribe: (listener) => registry.subscribe(listener),
      unsubscribe: (connection, name) => registry.unsubscribe(connection, name),
      end: (stream) => Effect.sync(() => registry.end(stream)),
      recheck: recheckAll
    })
  })
)
