/**
 * Effect's Tracer that sends spans to an OpenTelemetry collector, by OTLP over HTTP; only where the settings name one.
 *
 * Owns: that there are spans at all (`services/traced.ts`). Whoever has no collector pays for none of this, nor for its code.
 */
import { FetchHttpClient } from "@effect/platform"
import { Effect, Layer, Option, Tracer } from "effect"
import { AppConfig, type TraceSettings } from "../services/AppConfig.ts"
import { areExported } from "../services/traced.ts"

const exporting = (settings: TraceSettings) =>
  Effect.gen(function* () {
    const [{ OtlpSpan }, queue, sender] = yield* Effect.promise(() =>
      Promise.all([import("./otlp/OtlpSpan.ts"), import("./otlp/SpanQueue.ts"), import("./otlp/sendSpans.ts")])
    )
    const onEnd = yield* queue.make(yield* sender.make(settings))
    const tracer = Tracer.make({
      span: (name, parent, context, _links, startTime, kind) =>
        new OtlpSpan({ name, parent, context, startTime, kind }, onEnd),
      context: (run) => run()
    })
    return Layer.mergeAll(
      Layer.setTracer(tracer),
      Layer.setTracerEnabled(false),
      Layer.locallyScoped(areExported, true)
    )
  }).pipe(Layer.unwrapScoped, Layer.provide(FetchHttpClient.layer))

/** To be built before what is to be traced, so that the last spans are sent after it has ended. */
export const layer: Layer.Layer<never, never, AppConfig> = Layer.unwrapEffect(
  Effect.map(AppConfig, ({ traces }) => Option.match(traces, { onNone: () => Layer.empty, onSome: exporting }))
)
