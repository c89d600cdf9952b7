/**
 * The environment variables of OpenTelemetry that this server knows, with the names and meanings of its specification.
 */
import { Config, Either, Option, Redacted } from "effect"
import type { TraceSettings } from "../../services/AppConfig.ts"
import { optional, withDefault } from "../Setting.ts"
import * as Syntax from "../SettingSyntax.ts"

type Pairs = Readonly<Record<string, string>>

const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** `name=value` entries divided by commas, values percent-encoded, names as `name` allows. */
const pairs =
  (name: RegExp, value: RegExp): Syntax.Syntax<Pairs> =>
  (text) => {
    const found: Record<string, string> = {}
    for (const entry of text.split(",").filter((part) => part.trim() !== "")) {
      const [, key = "", encoded = ""] = /^\s*([^=]+?)\s*=\s*(.*?)\s*$/s.exec(entry) ?? []
      const plain = decoded(encoded)
      if (!name.test(key) || plain === undefined || !value.test(plain)) {
        return Either.left("name=value entries divided by commas, with values percent-encoded")
      }
      found[key] = plain
    }
    return Either.right(found)
  }

const headers: Syntax.Syntax<Redacted.Redacted<Pairs>> = (text) =>
  Either.map(pairs(/^[\w!#$%&'*+.^`|~-]{1,100}$/, /^[\x20-\x7e\t]*$/)(text), (found) => Redacted.make(found))

const noHeaders = Redacted.make<Pairs>({})

export const otlpVariables = {
  otlpEndpoint: optional(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    Syntax.httpUrl,
    "OpenTelemetry collector for traces, as in http://127.0.0.1:4318; they go to /v1/traces below it. Not set: there are none."
  ),
  otlpTracesEndpoint: optional(
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    Syntax.httpUrl,
    "The whole URL that traces go to, where it is another than that."
  ),
  otlpHeaders: withDefault(
    "OTEL_EXPORTER_OTLP_HEADERS",
    headers,
    "",
    "Headers of requests to the collector, as in x-api-key=SECRET: several divided by commas, values percent-encoded."
  ),
  otlpTracesHeaders: optional(
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    headers,
    "The same, for traces alone: these win over those of the same name."
  ),
  otlpProtocol: withDefault(
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    Syntax.oneOf("http/json"),
    "http/json",
    "How traces are sent; there is only this one, which collectors take at the port of http/protobuf."
  ),
  otlpTimeout: withDefault(
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    Syntax.wholeNumber(100, 60_000),
    "10000",
    "Milliseconds that the collector has for an answer."
  ),
  otlpServiceName: optional(
    "OTEL_SERVICE_NAME",
    Syntax.anyText,
    "Name of this server in its traces. Not set: service.name of OTEL_RESOURCE_ATTRIBUTES, or errand."
  ),
  otlpResource: withDefault(
    "OTEL_RESOURCE_ATTRIBUTES",
    pairs(/^[\x21-\x7e]{1,100}$/, /^[^\0]{0,255}$/),
    "",
    "What else its traces say of it, as in deployment.environment.name=home: several divided by commas, values percent-encoded."
  ),
  otlpDisabled: withDefault("OTEL_SDK_DISABLED", Syntax.truth, "false", "Whether there are no traces in any case.")
}

/** None without an endpoint. */
export const traceSettings = (all: typeof otlpVariables): Config.Config<Option.Option<TraceSettings>> =>
  Config.all({
    base: all.otlpEndpoint.config,
    own: all.otlpTracesEndpoint.config,
    headers: all.otlpHeaders.config,
    ownHeaders: all.otlpTracesHeaders.config,
    protocol: all.otlpProtocol.config,
    timeoutMs: all.otlpTimeout.config,
    serviceName: all.otlpServiceName.config,
    resource: all.otlpResource.config,
    disabled: all.otlpDisabled.config
  }).pipe(
    Config.map(({ base, disabled, headers, own, ownHeaders, resource, serviceName, timeoutMs }) =>
      disabled
        ? Option.none()
        : Option.map(
            Option.orElse(own, () => Option.map(base, (url) => `${url}/v1/traces`)),
            (url): TraceSettings => ({
              url,
              headers: Redacted.make({
                ...Redacted.value(headers),
                ...Redacted.value(Option.getOrElse(ownHeaders, () => noHeaders))
              }),
              timeoutMs,
              resource: {
                "service.name": "errand",
                ...resource,
                ...Option.match(serviceName, { onNone: () => ({}), onSome: (name) => ({ "service.name": name }) })
              }
            })
          )
    )
  )
