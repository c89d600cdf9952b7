/**
 * Effect's metrics in the text format of Prometheus.
 */
import { Array, type MetricKey, type MetricPair, MetricState, Option } from "effect"

const escape = (text: string, also: RegExp) =>
  text
    .replace(/\\/g, "\\\\")
    .replace(/\n/g, "\\n")
    .replace(also, (character) => `\\${character}`)

const labels = (pairs: ReadonlyArray<readonly [string, string]>): string =>
  pairs.length === 0 ? "" : `{${pairs.map(([name, value]) => `${clean(name)}="${escape(value, /"/g)}"`).join(",")}}`

const clean = (name: string) => name.replace(/[^a-zA-Z0-9_:]/g, "_")

const number = (value: number | bigint): string =>
  value === Number.POSITIVE_INFINITY ? "+Inf" : value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value)

interface Family {
  readonly type: "counter" | "gauge" | "histogram" | "summary"
  readonly lines: ReadonlyArray<string>
}

type Tags = ReadonlyArray<readonly [string, string]>

const family = (name: string, tags: Tags, state: MetricState.MetricState.Untyped): Family | undefined => {
  const line = (suffix: string, more: Tags, value: number | bigint) =>
    `${name}${suffix}${labels([...tags, ...more])} ${number(value)}`
  if (MetricState.isCounterState(state)) return { type: "counter", lines: [line("", [], state.count)] }
  if (MetricState.isGaugeState(state)) return { type: "gauge", lines: [line("", [], state.value)] }
  if (MetricState.isFrequencyState(state)) {
    return { type: "counter", lines: [...state.occurrences].map(([key, count]) => line("", [["key", key]], count)) }
  }
  const sums = (sum: number, count: number) => [line("_sum", [], sum), line("_count", [], count)]
  if (MetricState.isHistogramState(state)) {
    const bounded = state.buckets.filter(([bound]) => Number.isFinite(bound))
    const buckets = [...bounded, [Number.POSITIVE_INFINITY, state.count] as const]
    return {
      type: "histogram",
      lines: [
        ...buckets.map(([bound, count]) => line("_bucket", [["le", number(bound)]], count)),
        ...sums(state.sum, state.count)
      ]
    }
  }
  if (MetricState.isSummaryState(state)) {
    const quantiles = state.quantiles.flatMap(([quantile, value]) =>
      Option.toArray(Option.map(value, (value) => line("", [["quantile", number(quantile)]], value)))
    )
    return { type: "summary", lines: [...quantiles, ...sums(state.sum, state.count)] }
  }
  return undefined
}

const tagsOf = (key: MetricKey.MetricKey.Untyped): Tags => key.tags.map(({ key, value }) => [key, value] as const)

/** Metrics of one name stand together, under one head. */
export const render = (pairs: ReadonlyArray<MetricPair.MetricPair.Untyped>): string => {
  const families = Array.groupBy(pairs, ({ metricKey }) => clean(metricKey.name))
  return Object.entries(families)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, members]) => {
      const rendered = members.flatMap(
        ({ metricKey, metricState }) => family(name, tagsOf(metricKey), metricState) ?? []
      )
      const help = members
        .map(({ metricKey }) => Option.getOrElse(metricKey.description, () => ""))
        .find((text) => text !== "")
      return [
        ...(help === undefined ? [] : [`# HELP ${name} ${escape(help, /$^/g)}`]),
        ...rendered.slice(0, 1).map(({ type }) => `# TYPE ${name} ${type}`),
        ...rendered.flatMap(({ lines }) => lines),
        ""
      ].join("\n")
    })
    .join("")
}
