/**
 * A span, and how OTLP writes it in JSON.
 *
 * Owns: what of a span leaves this process: its name, times and attributes, and of a failure its kind alone. Messages of
 * errors and lines of the log, which Effect offers as events, can hold what a user or a program has said.
 */
import { Cause, type Context, Exit, Option, Predicate, type Tracer } from "effect"
import { randomBytes } from "node:crypto"

/** Longer texts are cut. */
const longestText = 256
const longestList = 16
const mostAttributes = 32

type Value =
  | { readonly stringValue: string }
  | { readonly boolValue: boolean }
  | { readonly arrayValue: { readonly values: ReadonlyArray<Value> } }
  | Numeric
type Numeric = { readonly intValue: string } | { readonly doubleValue: number }

interface KeyValue {
  readonly key: string
  readonly value: Value
}

const numeric = (value: number): Numeric =>
  Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: Number.isFinite(value) ? value : 0 }

const valueOf = (value: unknown): Value => {
  if (typeof value === "number") return numeric(value)
  if (typeof value === "boolean") return { boolValue: value }
  if (Array.isArray(value)) return { arrayValue: { values: value.slice(0, longestList).map(valueOf) } }
  return { stringValue: String(value).slice(0, longestText) }
}

export const keyValues = (attributes: Iterable<readonly [string, unknown]>): ReadonlyArray<KeyValue> =>
  Array.from(attributes, ([key, value]) => ({ key, value: valueOf(value) }))

/** As in opentelemetry-proto's `trace.proto`. */
export interface EncodedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  /** The flags of the trace context; bits 8 and 9 say whether the parent is in another process. */
  readonly flags: number
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: ReadonlyArray<KeyValue>
  readonly status: { readonly code?: 2 }
}

const kinds = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const satisfies Record<
  Tracer.SpanKind,
  number
>

const word = /^[A-Za-z][\w.]{0,63}$/

/** The stable word for a failure, which is all that is told of it. */
const errorType = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  const candidates = [
    Predicate.hasProperty(error, "code") ? error.code : undefined,
    Predicate.hasProperty(error, "_tag") ? error._tag : undefined,
    Predicate.hasProperty(error, "name") ? error.name : undefined
  ]
  return candidates.find((text): text is string => typeof text === "string" && word.test(text)) ?? "_OTHER"
}

/** Where spans go that have ended. */
export type Export = (span: EncodedSpan) => void

interface Beginning {
  readonly name: string
  readonly parent: Option.Option<Tracer.AnySpan>
  readonly context: Context.Context<never>
  readonly startTime: bigint
  readonly kind: Tracer.SpanKind
}

/** Links and events are not kept: nothing here makes links. */
export class OtlpSpan implements Tracer.Span {
  readonly _tag = "Span"
  readonly name: string
  readonly spanId = randomBytes(8).toString("hex")
  readonly traceId: string
  readonly parent: Option.Option<Tracer.AnySpan>
  readonly context: Context.Context<never>
  readonly sampled: boolean
  readonly kind: Tracer.SpanKind
  readonly attributes = new Map<string, unknown>()
  readonly links: ReadonlyArray<Tracer.SpanLink> = []
  status: Tracer.SpanStatus
  readonly #export: Export

  constructor({ context, kind, name, parent, startTime }: Beginning, onEnd: Export) {
    this.name = name
    this.parent = parent
    this.context = context
    this.kind = kind
    this.status = { _tag: "Started", startTime }
    this.traceId = Option.match(parent, {
      onNone: () => randomBytes(16).toString("hex"),
      onSome: ({ traceId }) => traceId
    })
    // Whoever begins a trace decides whether it is recorded.
    this.sampled = Option.match(parent, { onNone: () => true, onSome: ({ sampled }) => sampled })
    this.#export = onEnd
  }

  attribute(key: string, value: unknown): void {
    if (this.attributes.size < mostAttributes || this.attributes.has(key)) this.attributes.set(key, value)
  }

  event(): void {}

  addLinks(): void {}

  end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    if (this.status._tag === "Ended") return
    const { startTime } = this.status
    this.status = { _tag: "Ended", startTime, endTime, exit }
    if (!this.sampled) return
    if (Exit.isFailure(exit)) {
      if (Cause.isInterruptedOnly(exit.cause)) this.attribute("errand.interrupted", true)
      else this.attribute("error.type", errorType(exit.cause))
    }
    const route = this.kind === "server" ? this.attributes.get("http.route") : undefined
    const parent = Option.getOrUndefined(this.parent)
    this.#export({
      traceId: this.traceId,
      spanId: this.spanId,
      ...(parent === undefined ? {} : { parentSpanId: parent.spanId }),
      flags: parent?._tag === "ExternalSpan" ? 0x301 : 0x101,
      // A request is named after its route, which is known only after it was begun.
      name: route === undefined ? this.name : `${this.name} ${String(route)}`,
      kind: kinds[this.kind],
      startTimeUnixNano: String(startTime),
      endTimeUnixNano: String(endTime),
      attributes: keyValues(this.attributes),
      status: this.attributes.has("error.type") ? { code: 2 } : {}
    })
  }
}
