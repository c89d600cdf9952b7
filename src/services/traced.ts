/**
 * Spans that somebody looks at: runs with their turns and tool calls, what else takes time in them, and requests.
 *
 * Owns: making them where they are exported, and costing nothing where they are not.
 * Does not own: where they go (`layers/TracerOtlp.ts`).
 */
import { Effect, FiberRef, type Tracer } from "effect"

/** Whether somebody exports spans here; a layer that does sets it. */
export const areExported: FiberRef.FiberRef<boolean> = FiberRef.unsafeMake(false)

/** Names as OpenTelemetry has them, `errand.` before our own. Numbers, ids and stable words: never text, a path or a URL. */
export type Attributes = Readonly<Record<string, string | number | boolean | ReadonlyArray<string>>>

/** Adds to the span what is known later. `error.type`, a stable word, makes it one that failed. */
export type Note = (attributes: Attributes) => void

interface SpanOptions extends Pick<Tracer.SpanOptions, "kind" | "parent" | "root"> {
  readonly attributes?: Attributes
}

const unheard: Note = () => undefined

const notedOn =
  (span: Tracer.Span): Note =>
  (attributes) => {
    for (const [key, value] of Object.entries(attributes)) span.attribute(key, value)
  }

/** Runs `body` as a span below the one that it is in, with what it forks. */
export const traced = <A, E, R>(
  name: string,
  options: SpanOptions,
  body: (note: Note) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.flatMap(FiberRef.get(areExported), (exported): Effect.Effect<A, E, R> => {
    if (!exported) return body(unheard)
    return Effect.useSpan(name, { ...options, captureStackTrace: false }, (span) =>
      // Effect's own spans, one for each method of a service and each statement of SQL, would bury these.
      Effect.suspend(() => body(notedOn(span))).pipe(Effect.withParentSpan(span), Effect.withTracerEnabled(false))
    ).pipe(Effect.withTracerEnabled(true))
  })

/** Without anything to add later. */
export const inSpan =
  (name: string, attributes: Attributes = {}) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    traced(name, { attributes }, () => effect)
