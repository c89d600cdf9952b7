import { expect, it } from "@effect/vitest"
import { Effect, Metric, MetricBoundaries } from "effect"
import { render } from "../../src/http/prometheus.ts"

const named = (prefix: string) =>
  Effect.map(Metric.snapshot, (pairs) => pairs.filter(({ metricKey }) => metricKey.name.startsWith(prefix)))

it.effect("tells counters by their labels, under one head", () =>
  Effect.gen(function* () {
    const counter = Metric.counter("render_a_total", { description: "What\nis counted", incremental: true })
    yield* Metric.incrementBy(Metric.tagged(counter, "status", "200"), 2)
    yield* Metric.increment(Metric.tagged(counter, "status", 'a"b\\c\n'))
    const lines = render(yield* named("render_a")).split("\n")
    expect(lines.slice(0, 2)).toEqual(["# HELP render_a_total What\\nis counted", "# TYPE render_a_total counter"])
    expect(lines.slice(2).toSorted()).toEqual(
      ["", 'render_a_total{status="200"} 2', 'render_a_total{status="a\\"b\\\\c\\n"} 1'].toSorted()
    )
  })
)

it.effect("tells histograms with cumulative buckets", () =>
  Effect.gen(function* () {
    const histogram = Metric.histogram("render_b", MetricBoundaries.fromIterable([1, 2]))
    for (const value of [0.5, 1.5, 1.5, 9]) yield* Metric.update(histogram, value)
    expect(render(yield* named("render_b"))).toBe(
      [
        "# TYPE render_b histogram",
        'render_b_bucket{le="1"} 1',
        'render_b_bucket{le="2"} 3',
        'render_b_bucket{le="+Inf"} 4',
        "render_b_sum 12.5",
        "render_b_count 4",
        ""
      ].join("\n")
    )
  })
)

it.effect("makes names that Prometheus takes", () =>
  Effect.gen(function* () {
    yield* Metric.set(Metric.gauge("render-c.d"), 1)
    expect(render(yield* named("render-c"))).toContain("render_c_d 1")
  })
)
