/**
 * The log of every stream, and the news of it.
 *
 * Owns: numbering events without gaps, keeping them, replaying them, telling who listens; passing previews on.
 * Does not own: what an event means, who may see a stream, how it reaches a phone (`http/stream`).
 */
import { Context, type Effect, type Scope, type Stream } from "effect"
import type { TaskId, UserId } from "./Ids.ts"
import type { Timestamp } from "./Task.ts"
import type { AnyEvent } from "./TaskEvent.ts"
import type { StorageFull } from "./Transaction.ts"

/** `task:<task id>`, or `inbox:<user id>` (clients say just `inbox`). */
export type StreamName = `task:${TaskId}` | `inbox:${UserId}`

export const taskStream = (id: TaskId): StreamName => `task:${id}`
export const inboxStream = (owner: UserId): StreamName => `inbox:${owner}`

/** An event in its place: `seq` counts from 1 in each stream, without gaps. */
export interface StoredEvent {
  readonly stream: StreamName
  readonly seq: number
  readonly at: Timestamp
  readonly event: AnyEvent
}

/** Half-written text. `item` names what is being written, `offset` counts the characters sent before. Never stored. */
export interface Preview {
  readonly stream: StreamName
  readonly item: string
  readonly offset: number
  readonly text: string
}

/** What listeners hear; the events of one call are in order, and follow those of the call before. */
export type News =
  | { readonly _tag: "Events"; readonly events: ReadonlyArray<StoredEvent> }
  | { readonly _tag: "Preview"; readonly preview: Preview }

export class EventBus extends Context.Tag("errand/services/EventBus")<
  EventBus,
  {
    /** Appends in the transaction that is open here (or one of its own); listeners hear of it after the commit. */
    readonly append: (
      stream: StreamName,
      events: ReadonlyArray<AnyEvent>
    ) => Effect.Effect<ReadonlyArray<StoredEvent>, StorageFull>
    /** Events with `seq > after` in order, at most `limit`. */
    readonly read: (stream: StreamName, after: number, limit: number) => Effect.Effect<ReadonlyArray<StoredEvent>>
    /** The number of the newest event, 0 for an empty stream. */
    readonly head: (stream: StreamName) => Effect.Effect<number>
    /** Names the log itself: the same over restarts, another after a restore. */
    readonly epoch: Effect.Effect<string>
    /** Everything after `after`, then everything that comes, for ever: no gap, no duplicate, in order. */
    readonly follow: (stream: StreamName, after: number) => Stream.Stream<StoredEvent>
    /** Shows a preview to whoever listens now: at once, without an effect, since a model writes hundreds of them. */
    readonly preview: (preview: Preview) => void
    /**
     * Calls `listener` synchronously with all news of all streams from now on, until the scope closes.
     * It must return at once and must not throw: it runs on the path of every commit.
     */
    readonly listen: (listener: (news: News) => void) => Effect.Effect<void, never, Scope.Scope>
    /** Removes a stream and everything in it. */
    readonly remove: (stream: StreamName) => Effect.Effect<void, StorageFull>
  }
>() {}
