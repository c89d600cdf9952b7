/**
 * One request to a collector, in OTLP/HTTP with JSON: bounded in time and bytes, and what became of it.
 */
import { FetchHttpClient, HttpBody, HttpClient, HttpClientRequest, type HttpClientResponse } from "@effect/platform"
import { Data, Duration, Effect, Either, Option, Redacted, Schema, Stream } from "effect"
import type { TraceSettings } from "../../services/AppConfig.ts"
import { type EncodedSpan, keyValues } from "./OtlpSpan.ts"

/** `refused` spans are lost; for `Later` all of them are to be sent again, not before `after`. */
export type Delivery = Data.TaggedEnum<{
  Done: { readonly refused: number; readonly problem: string }
  Later: { readonly problem: string; readonly after: Duration.Duration }
}>

const Delivery = Data.taggedEnum<Delivery>()

const done = Delivery.Done({ refused: 0, problem: "" })

/** An answer that says more is not read. */
const mostBytes = 64 * 1024

/** As OTLP has them; all others are final. */
const transient: ReadonlySet<number> = new Set([429, 502, 503, 504])

const secondsIn = (text: string | undefined): Duration.Duration =>
  text !== undefined && /^\d{1,6}$/.test(text) ? Duration.seconds(Number(text)) : Duration.zero

/** The mapping of protobuf writes 64 bits as a string. */
const decodeAnswer = Schema.decodeEither(
  Schema.parseJson(
    Schema.Struct({
      partialSuccess: Schema.optional(
        Schema.Struct({ rejectedSpans: Schema.optional(Schema.Union(Schema.NumberFromString, Schema.Number)) })
      )
    })
  )
)

const read = ({ stream }: HttpClientResponse.HttpClientResponse) =>
  Effect.gen(function* () {
    const decoder = new TextDecoder()
    let text = ""
    yield* Stream.runForEachWhile(stream, (bytes) =>
      Effect.sync(() => {
        text += decoder.decode(bytes, { stream: true })
        return text.length <= mostBytes
      })
    )
    return text
  })

/** Words of the collector stay there: it may repeat what it was sent. */
const judge = Effect.fnUntraced(function* (response: HttpClientResponse.HttpClientResponse, count: number) {
  const { headers, status } = response
  const text = yield* read(response)
  if (transient.has(status)) {
    return Delivery.Later({ problem: `the collector answers ${status}`, after: secondsIn(headers["retry-after"]) })
  }
  if (status < 200 || status >= 300) {
    return Delivery.Done({ refused: count, problem: `the collector answers ${status}` })
  }
  const refused = Option.match(Either.getRight(decodeAnswer(text)), {
    // Some collectors say nothing, or something else.
    onNone: () => 0,
    onSome: ({ partialSuccess }) => partialSuccess?.rejectedSpans ?? 0
  })
  return refused > 0
    ? Delivery.Done({ refused, problem: `the collector accepts ${count - refused} of ${count} spans` })
    : done
})

export const make = Effect.fnUntraced(function* ({ headers, resource, timeoutMs, url }: TraceSettings) {
  const client = yield* HttpClient.HttpClient
  const request = HttpClientRequest.post(url).pipe(
    HttpClientRequest.setHeaders(Redacted.value(headers)),
    HttpClientRequest.setHeader("user-agent", "errand")
  )
  const about = { attributes: keyValues(Object.entries(resource)) }
  return (spans: ReadonlyArray<EncodedSpan>): Effect.Effect<Delivery> =>
    Effect.suspend(() => {
      const body = HttpBody.unsafeJson({
        resourceSpans: [{ resource: about, scopeSpans: [{ scope: { name: "errand" }, spans }] }]
      })
      return client.execute(HttpClientRequest.setBody(request, body))
    }).pipe(
      Effect.flatMap((response) => judge(response, spans.length)),
      Effect.timeoutFail({ duration: timeoutMs, onTimeout: () => "the collector does not answer in time" }),
      // Of a failure only that: what it quotes may be a header.
      Effect.mapError((error) => (typeof error === "string" ? error : "the collector can't be reached")),
      Effect.catchAll((problem) => Effect.succeed(Delivery.Later({ problem, after: Duration.zero }))),
      // The request must not make a span, which would be sent in turn. Headers must not follow a redirect.
      Effect.withTracerEnabled(false),
      Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" })
    )
})
