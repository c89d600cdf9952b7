/**
 * ClaudeClient on the Messages API, through Anthropic's SDK.
 *
 * One request for one turn: retries are the caller's. Key and address come from AppConfig alone, not from the variables
 * and files that the SDK would look into by itself.
 */
import Anthropic from "@anthropic-ai/sdk"
import { Effect, Layer, Option, Redacted } from "effect"
import { AppConfig, type Settings } from "../services/AppConfig.ts"
import {
  ClaudeClient,
  type ClaudeError,
  ClaudeRejected,
  type Response as Answer,
  type TurnEvent,
  type TurnRequest
} from "../services/ClaudeClient.ts"
import { nodeFetch } from "./anthropic/nodeFetch.ts"
import { requestBody } from "./anthropic/requestBody.ts"
import { TurnReader } from "./anthropic/TurnReader.ts"

export const layer: Layer.Layer<ClaudeClient, never, AppConfig> = Layer.effect(
  ClaudeClient,
  Effect.map(AppConfig, ({ model }) =>
    Option.match(model.apiKey, {
      onNone: () => ClaudeClient.of({ turn: () => withoutKey, configured: Effect.succeed(false) }),
      onSome: (key) => {
        const client = connect(key, model.baseUrl)
        return ClaudeClient.of({
          turn: (request, hear) => turn(client, request, model.silenceMs, hear),
          configured: Effect.succeed(true)
        })
      }
    })
  )
)

const withoutKey = new ClaudeRejected({
  status: 401,
  type: "authentication_error",
  detail: "No key for the model is set. Set ANTHROPIC_API_KEY and start the server again."
})

const connect = (key: Redacted.Redacted, baseUrl: Settings["model"]["baseUrl"]): Anthropic => {
  const apiKey = Redacted.value(key)
  return new Anthropic({
    apiKey,
    baseURL: Option.getOrElse(baseUrl, () => "https://api.anthropic.com"),
    // Last word over ANTHROPIC_CUSTOM_HEADERS, which the SDK reads whatever it is given.
    defaultHeaders: { Authorization: `Bearer ${apiKey}`, "X-Api-Key": null },
    fetch: nodeFetch,
    webhookKey: null,
    openTelemetry: false,
    logLevel: "off",
    maxRetries: 0
  })
}

const turn = (client: Anthropic, request: TurnRequest, silenceMs: number, hear: (event: TurnEvent) => void) =>
  Effect.async<Answer, ClaudeError>((resume) => {
    const reader = new TurnReader((signal) => send(client, request, signal, silenceMs), silenceMs, hear, resume)
    return Effect.sync(() => reader.close())
  })

/** `messages.create` is this, and writes lines of its own about old models past the log, with every request. */
const send = (client: Anthropic, request: TurnRequest, signal: AbortSignal, timeout: number): Promise<Response> =>
  client.post("/v1/messages", { body: requestBody(request), stream: true, signal, timeout }).asResponse()
