/**
 * The backlog of a subscription: from the log to the socket, at the pace of the client, then live.
 */
import { Effect } from "effect"
import { EventBus } from "../../services/EventBus.ts"
import { drained } from "./drained.ts"
import { eventParts, Frame } from "./Frame.ts"
import type { Outbox } from "./Outbox.ts"
import type { Subscription } from "./Subscription.ts"

const pageSize = 100

/**
 * Sends everything after what was sent, and `subscribed` when the subscription has gone live. News must reach the
 * subscription already: it holds them meanwhile, so that nothing falls between the log and the news.
 */
export const makeReplay = Effect.gen(function* () {
  const bus = yield* EventBus
  // The database answers one query at a time: many phones that come back at once shall not hold up the tasks.
  const turn = yield* Effect.makeSemaphore(4)

  return (subscription: Subscription, outbox: Outbox): Effect.Effect<void> =>
    Effect.gen(function* () {
      const epoch = yield* bus.epoch
      for (;;) {
        const page = yield* turn.withPermits(1)(bus.read(subscription.stream, subscription.sent, pageSize))
        for (const { last, frame } of eventParts(subscription.name, page)) {
          yield* drained(outbox)
          subscription.replay(last, frame)
        }
        if (page.length < pageSize && subscription.goLive()) break
      }
      outbox.push(Frame.of({ type: "subscribed", stream: subscription.name, head: subscription.sent, epoch }))
    })
})
