/** A collector of traces on loopback that takes nothing but what OTLP/HTTP with JSON allows, and can be made to fail. */
import { Effect, Schema } from "effect"
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

const hex = (digits: number) => Schema.String.pipe(Schema.pattern(new RegExp(`^(?!0+$)[0-9a-f]{${digits}}$`)))
const nanos = Schema.String.pipe(Schema.pattern(/^1\d{18}$/))

const Scalar = Schema.Union(
  Schema.Struct({ stringValue: Schema.String.pipe(Schema.maxLength(256)) }),
  Schema.Struct({ boolValue: Schema.Boolean }),
  Schema.Struct({ intValue: Schema.String.pipe(Schema.pattern(/^-?\d{1,19}$/)) }),
  Schema.Struct({ doubleValue: Schema.Finite })
)
const Value = Schema.Union(Scalar, Schema.Struct({ arrayValue: Schema.Struct({ values: Schema.Array(Scalar) }) }))

const KeyValues = Schema.Array(Schema.Struct({ key: Schema.NonEmptyString, value: Value })).pipe(
  Schema.filter((all) => new Set(all.map(({ key }) => key)).size === all.length || "a key twice")
)

const Span = Schema.Struct({
  traceId: hex(32),
  spanId: hex(16),
  parentSpanId: Schema.optionalWith(hex(16), { exact: true }),
  flags: Schema.Literal(0x101, 0x301),
  name: Schema.NonEmptyString,
  kind: Schema.Literal(1, 2, 3, 4, 5),
  startTimeUnixNano: nanos,
  endTimeUnixNano: nanos,
  attributes: KeyValues,
  status: Schema.Struct({ code: Schema.optionalWith(Schema.Literal(1, 2), { exact: true }) })
}).pipe(
  Schema.filter((span) => BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano) || "it ends before it begins")
)

/** `ExportTraceServiceRequest`; nothing else is in it than Errand sends. */
const decodeRequest = Schema.decodeUnknownSync(
  Schema.Struct({
    resourceSpans: Schema.NonEmptyArray(
      Schema.Struct({
        resource: Schema.Struct({ attributes: KeyValues }),
        scopeSpans: Schema.NonEmptyArray(
          Schema.Struct({
            scope: Schema.Struct({ name: Schema.NonEmptyString }),
            spans: Schema.NonEmptyArray(Span)
          })
        )
      })
    )
  }),
  { onExcessProperty: "error" }
)

type WireSpan = typeof Span.Type

export interface ReceivedSpan extends Omit<WireSpan, "attributes"> {
  readonly attributes: Readonly<Record<string, unknown>>
}

const plain = (value: typeof Value.Type): unknown => {
  if ("arrayValue" in value) return value.arrayValue.values.map(plain)
  const [content] = Object.values(value)
  return "intValue" in value ? Number(content) : content
}

const attributesOf = (keyValues: typeof KeyValues.Type) =>
  Object.fromEntries(keyValues.map(({ key, value }) => [key, plain(value)]))

const byStart = (one: ReceivedSpan, other: ReceivedSpan) =>
  Number(BigInt(one.startTimeUnixNano) - BigInt(other.startTimeUnixNano))

/** What a request gets for an answer; `silent` gets none. */
export type Answering = "well" | "silent" | ((response: ServerResponse, spans: ReadonlyArray<ReceivedSpan>) => void)

export class OtlpReceiver {
  url = ""
  answering: Answering = "well"
  /** Of accepted requests alone. */
  readonly spans: Array<ReceivedSpan> = []
  readonly resources: Array<Readonly<Record<string, unknown>>> = []
  /** Every request as it came. */
  readonly requests: Array<{ readonly url: string; readonly headers: IncomingHttpHeaders; readonly body: string }> = []
  /** Requests that no collector would take. */
  readonly mistakes: Array<string> = []

  take(url: string, headers: IncomingHttpHeaders, body: string, response: ServerResponse): void {
    this.requests.push({ url, headers, body })
    if (headers["content-type"] !== "application/json") this.mistakes.push(`${headers["content-type"]}`)
    let spans: ReadonlyArray<ReceivedSpan> = []
    try {
      const { resourceSpans } = decodeRequest(JSON.parse(body))
      spans = resourceSpans.flatMap(({ resource, scopeSpans }) => {
        this.resources.push(attributesOf(resource.attributes))
        return scopeSpans.flatMap((scope) =>
          scope.spans.map((span) => ({ ...span, attributes: attributesOf(span.attributes) }))
        )
      })
    } catch (error) {
      this.mistakes.push(String(error))
    }
    if (this.answering === "silent") return
    if (typeof this.answering === "function") return this.answering(response, spans)
    this.spans.push(...spans)
    response.writeHead(200, { "content-type": "application/json" }).end("{}")
  }

  /** Whatever is wrong with all spans together: ids that are there twice, parents that are missing. */
  get inconsistencies(): ReadonlyArray<string> {
    const ids = new Set(this.spans.map(({ spanId }) => spanId))
    return [
      ...(ids.size === this.spans.length ? [] : ["a span was sent twice"]),
      ...this.spans.flatMap((span) => {
        if (span.parentSpanId === undefined || span.flags === 0x301) return []
        const parent = this.spans.find(({ spanId }) => spanId === span.parentSpanId)
        if (parent === undefined) return [`${span.name} has no parent`]
        if (parent.traceId !== span.traceId) return [`${span.name} is in another trace than ${parent.name}`]
        return BigInt(parent.startTimeUnixNano) <= BigInt(span.startTimeUnixNano) &&
          BigInt(parent.endTimeUnixNano) >= BigInt(span.endTimeUnixNano)
          ? []
          : [`${span.name} is not within ${parent.name}`]
      })
    ]
  }

  named(name: string | RegExp): ReadonlyArray<ReceivedSpan> {
    const fits = (candidate: string) => (typeof name === "string" ? candidate === name : name.test(candidate))
    return this.spans.filter((span) => fits(span.name)).toSorted(byStart)
  }

  /** The spans below a span in the order of their beginnings, as `run > turn > chat`. */
  tree(root: ReceivedSpan, path = root.name): ReadonlyArray<string> {
    const children = this.spans.filter(({ parentSpanId }) => parentSpanId === root.spanId).toSorted(byStart)
    return [path, ...children.flatMap((child) => this.tree(child, `${path} > ${child.name}`))]
  }
}

export const otlpReceiver = Effect.acquireRelease(
  Effect.promise(async () => {
    const receiver = new OtlpReceiver()
    const server = createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () =>
        receiver.take(request.url ?? "", request.headers, Buffer.concat(chunks).toString(), response)
      )
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return { receiver, server }
  }),
  ({ server }) =>
    Effect.async<void>((resume) => {
      server.close(() => resume(Effect.void))
      server.closeAllConnections()
    })
).pipe(Effect.map(({ receiver }) => receiver))
