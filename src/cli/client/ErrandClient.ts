/**
 * A server of Errand, as a client of its API sees it.
 *
 * Owns: which token a command shows, requests that are safe to repeat, a second try with a token that was renewed.
 * Does not own: the stream (`followTask.ts`), the session (`session.ts`).
 */
import { HttpApiClient, HttpClient, HttpClientRequest } from "@effect/platform"
import { Effect, Option, Redacted } from "effect"
import { Api } from "../../http/Api.ts"
import { Ids } from "../../services/Ids.ts"
import { WrongUsage } from "../outcome.ts"
import { patientClient } from "./anonymous.ts"
import { type Connection, serverUrl, withToken } from "./Connection.ts"
import { sessionAt } from "./session.ts"

/** With the token that the user gave, or else with their session at this server. */
export const connection = Effect.fn("connection")(function* (given: {
  readonly server: string
  readonly token: Option.Option<Redacted.Redacted>
}) {
  const server = yield* serverUrl(given.server)
  const token = Option.filter(given.token, (value) => Redacted.value(value).trim() !== "")
  if (Option.isSome(token)) return withToken(server, token.value)
  const session = yield* sessionAt(server)
  if (Option.isSome(session)) return session.value
  return yield* new WrongUsage({
    problem: `You are not signed in at ${server}. Do that with \`errand login\`, or put an access token into ERRAND_TOKEN; \`errand token create --login NAME\` makes one on the server.`
  })
})

/** The methods of the API, by group. A POST carries a key of its own, so that repeating it does nothing twice. */
export const make = Effect.fn("ErrandClient.make")(function* ({ renew, server, token }: Connection) {
  const ids = yield* Ids
  const patient = yield* patientClient
  const keyed = (request: HttpClientRequest.HttpClientRequest) =>
    request.method === "POST"
      ? Effect.map(ids.plain, (key) => HttpClientRequest.setHeader(request, "idempotency-key", key))
      : Effect.succeed(request)
  const authorized = (request: HttpClientRequest.HttpClientRequest) =>
    Effect.map(token, (shown) => HttpClientRequest.bearerToken(request, shown))
  const httpClient = patient.pipe(
    HttpClient.mapRequestEffect(keyed),
    HttpClient.mapRequestEffect(authorized),
    HttpClient.transform((sent, request) =>
      Effect.gen(function* () {
        const response = yield* sent
        if (response.status !== 401 || !(yield* renew)) return response
        return yield* patient.execute(yield* authorized(request))
      })
    )
  )
  return yield* HttpApiClient.makeWith(Api, { httpClient, baseUrl: server })
})

export type ErrandClient = Effect.Effect.Success<ReturnType<typeof make>>
