/**
 * The place of every waiting task, worked out once for each state of the queue: a list asks for many at a time.
 */
import { Clock, Effect, Option } from "effect"
import { EventBus } from "../../services/EventBus.ts"
import type { TaskId } from "../../services/Ids.ts"
import { now } from "../timestamp.ts"
import { inOrder, nextMoment, type QueuedTask, type Shares } from "./queueOrder.ts"

interface Places {
  readonly of: ReadonlyMap<TaskId, number>
  /** Milliseconds since the epoch at which the clock alone changes them. */
  readonly until: number
}

const placesOf = (queued: ReadonlyArray<QueuedTask>, shares: Shares, at: string): Places => ({
  of: new Map(inOrder(queued, shares, at).map(({ id }, index) => [id, index])),
  until: Option.match(nextMoment(queued, at), { onNone: () => Number.POSITIVE_INFINITY, onSome: Date.parse })
})

/** `read` gives the queue as it is now. What changes a queue changes the card of a task, or calls `forget`. */
export const makePositions = Effect.fnUntraced(function* (
  read: Effect.Effect<{ readonly queued: ReadonlyArray<QueuedTask>; readonly shares: Shares }>
) {
  const bus = yield* EventBus
  let known: Places | undefined
  let version = 0
  const forget = () => {
    known = undefined
    version++
  }
  yield* bus.listen((news) => {
    if (news._tag === "Events" && news.events.some(({ event }) => event.type === "task.changed")) forget()
  })

  const places = Effect.gen(function* () {
    if (known !== undefined && (yield* Clock.currentTimeMillis) < known.until) return known
    const before = version
    const { queued, shares } = yield* read
    const fresh = placesOf(queued, shares, yield* now)
    if (version === before) known = fresh
    return fresh
  })

  return {
    forget: Effect.sync(forget),
    position: (id: TaskId) => Effect.map(places, (current) => Option.fromNullable(current.of.get(id)))
  }
})
