/**
 * What the door measures about itself.
 */
import { Metric, MetricBoundaries } from "effect"

export const requests = Metric.counter("errand_http_requests_total", {
  description: "Answered HTTP requests, but for the WebSocket.",
  incremental: true
})

export const requestSeconds = Metric.histogram(
  "errand_http_request_seconds",
  MetricBoundaries.fromIterable([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]),
  "Time to the head of the answer to an HTTP request."
)
