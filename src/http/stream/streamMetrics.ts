/**
 * What the stream measures about itself, taken once a second instead of once an event.
 */
import { Effect, Metric } from "effect"

const connections = Metric.gauge("errand_stream_connections", { description: "Open WebSocket connections." })

const subscriptions = Metric.gauge("errand_stream_streams", { description: "Streams that somebody listens to." })

const deliveries = Metric.gauge("errand_stream_deliveries", {
  description: "Events handed to subscriptions since the start of the server."
})

export const report = (registry: {
  readonly connections: ReadonlySet<unknown>
  readonly listeners: ReadonlyMap<unknown, unknown>
  readonly delivered: number
}): Effect.Effect<void> =>
  Effect.suspend(() =>
    Effect.all(
      [
        Metric.set(connections, registry.connections.size),
        Metric.set(subscriptions, registry.listeners.size),
        Metric.set(deliveries, registry.delivered)
      ],
      { discard: true }
    )
  )
