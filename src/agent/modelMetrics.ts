/**
 * What the model costs this server, in time and money, since its start.
 */
import { Effect, Metric } from "effect"
import type { Usage } from "../services/Task.ts"

/** From the request to the end of the answer, or to its failure. */
export const turnSeconds = Metric.timerWithBoundaries(
  "errand_model_turn_seconds",
  [0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640],
  "Time of one turn of the model."
)

const tokens = Metric.counter("errand_model_tokens_total", { description: "Tokens, by kind.", incremental: true })

const kinds = {
  input: Metric.tagged(tokens, "kind", "input"),
  output: Metric.tagged(tokens, "kind", "output"),
  cacheRead: Metric.tagged(tokens, "kind", "cache_read"),
  cacheWrite: Metric.tagged(tokens, "kind", "cache_write")
}

const dollars = Metric.counter("errand_model_cost_usd_total", { description: "Dollars.", incremental: true })

export const count = ({ cacheReadTokens, cacheWriteTokens, costUsd, inputTokens, outputTokens }: Usage) =>
  Effect.all(
    [
      Metric.incrementBy(kinds.input, inputTokens),
      Metric.incrementBy(kinds.output, outputTokens),
      Metric.incrementBy(kinds.cacheRead, cacheReadTokens),
      Metric.incrementBy(kinds.cacheWrite, cacheWriteTokens),
      Metric.incrementBy(dollars, costUsd)
    ],
    { discard: true }
  )
