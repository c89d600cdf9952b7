/** Those who hear all news as they happen. Plain functions: one fiber for each would cost five times as much. */
import { Effect, type Scope } from "effect"
import type { News } from "../../services/EventBus.ts"

export interface Listeners {
  readonly tell: (news: News) => void
  readonly listen: (listener: (news: News) => void) => Effect.Effect<void, never, Scope.Scope>
}

export const makeListeners = (): Listeners => {
  const listeners = new Set<{ readonly hear: (news: News) => void }>()
  return {
    tell: (news) => {
      for (const listener of listeners) listener.hear(news)
    },
    listen: (hear) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => {
            const listener = { hear }
            listeners.add(listener)
            return listener
          }),
          (listener) => Effect.sync(() => listeners.delete(listener))
        )
      )
  }
}
