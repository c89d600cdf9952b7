/**
 * The subscriptions of one connection.
 *
 * Owns: opening them (attach first, then read the backlog), refusing them, ending them.
 * Does not own: reading the backlog (`replay.ts`), delivering news (`Hub.ts`).
 */
import { Effect, FiberMap, Option, Schema } from "effect"
import { EventBus, inboxStream, type StreamName, taskStream } from "../../services/EventBus.ts"
import { TaskId, type UserId } from "../../services/Ids.ts"
import { TaskRepo } from "../../services/TaskRepo.ts"
import type { Connection } from "./Connection.ts"
import { Frame } from "./Frame.ts"
import { Hub } from "./Hub.ts"
import { makeReplay } from "./replay.ts"
import { Subscription } from "./Subscription.ts"

export const mostSubscriptions = 64

/** Time for news of what was just committed, so that no client takes it for lost. */
const onTheWay = "50 millis"

const isTaskId = Schema.is(TaskId)

/** What a client asks for. */
interface Wish {
  readonly stream: string
  readonly after: number
  readonly epoch?: string
}

export interface Refusal {
  readonly code: string
  readonly message: string
}

const notFound: Refusal = { code: "not_found", message: "There is no such stream, or it is not yours." }

const tooMany: Refusal = {
  code: "too_many_subscriptions",
  message: `A connection can have ${mostSubscriptions} streams at once.`
}

export const makeSubscriptions = Effect.gen(function* () {
  const bus = yield* EventBus
  const hub = yield* Hub
  const repo = yield* TaskRepo
  const replay = yield* makeReplay

  /** The stream that a client means, if it may see it; somebody else's is not there. */
  const resolve = (name: string, user: UserId): Effect.Effect<Option.Option<StreamName>> => {
    if (name === "inbox") return Effect.succeedSome(inboxStream(user))
    const id = name.startsWith("task:") ? name.slice("task:".length) : ""
    return isTaskId(id) ? Effect.option(Effect.as(repo.getOwned(user, id), taskStream(id))) : Effect.succeedNone
  }

  /** `refuse` tells the client what can't be; `onGap` asks for `readAgain`, from outside of any effect. */
  return (
    connection: Connection,
    calls: { readonly refuse: (refusal: Refusal, stream: string) => void; readonly onGap: (name: string) => void }
  ) =>
    Effect.gen(function* () {
      const { outbox, subscriptions } = connection
      const replays = yield* FiberMap.make<string, void, never>()

      const close = (name: string) =>
        Effect.zipRight(
          FiberMap.remove(replays, name),
          Effect.sync(() => hub.unsubscribe(connection, name))
        )

      const open = ({ stream: name, after, epoch }: Wish, user: UserId) =>
        Effect.gen(function* () {
          yield* close(name)
          if (subscriptions.size >= mostSubscriptions) return calls.refuse(tooMany, name)
          const stream = yield* resolve(name, user)
          if (Option.isNone(stream)) return calls.refuse(notFound, name)
          const subscription = new Subscription(stream.value, outbox, after)
          hub.subscribe({ connection, subscription, onGap: () => calls.onGap(name) })
          const [head, current] = yield* Effect.all([bus.head(stream.value), bus.epoch])
          const reason = epoch !== undefined && epoch !== current ? "epoch" : after > head ? "ahead" : undefined
          if (reason === undefined) return void (yield* FiberMap.run(replays, name, replay(subscription, outbox)))
          hub.unsubscribe(connection, name)
          subscription.reset(reason, head)
        })

      const readAgain = (name: string) =>
        Effect.suspend(() => {
          const subscription = subscriptions.get(name)
          return subscription === undefined
            ? Effect.void
            : Effect.asVoid(FiberMap.run(replays, name, replay(subscription, outbox)))
        })

      /** Read from the log, not from what was sent: so a client notices when the last frame was lost. */
      const sendHeads = Effect.gen(function* () {
        const heads: Record<string, number> = {}
        for (const { name, stream } of subscriptions.values()) heads[name] = yield* bus.head(stream)
        const late = [...subscriptions.values()].some(({ name, live, sent }) => live && (heads[name] ?? 0) > sent)
        if (late) yield* Effect.sleep(onTheWay)
        outbox.push(Frame.of({ type: "pong", heads }))
      })

      return { open, close, readAgain, sendHeads }
    })
})
