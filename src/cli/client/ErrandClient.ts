/**
 * A server of Errand, as a client of its API sees it.
 *
 * Owns: the connection's settings, requests that are safe to repeat, the whole of a list that comes in pages.
 * Does not own: the stream (`followTask.ts`).
 */
import { HttpApiClient, HttpClient, HttpClientRequest } from "@effect/platform"
import { Effect, Option, Redacted, Schedule } from "effect"
import { Api } from "../../http/Api.ts"
import { Ids } from "../../services/Ids.ts"
import { WrongUsage } from "../outcome.ts"

export interface Connection {
  /** Without a slash at its end. */
  readonly server: string
  readonly token: Redacted.Redacted
}

const httpUrl = /^https?:\/\/[^\s/?#@]+(?:\/[^\s?#]*)?$/

/** Checks what the user gave. */
export const connection = (given: {
  readonly server: string
  readonly token: Option.Option<Redacted.Redacted>
}): Effect.Effect<Connection, WrongUsage> => {
  const server = given.server.trim().replace(/\/+$/u, "")
  if (!httpUrl.test(server)) {
    return new WrongUsage({
      problem: `"${given.server}" is not the URL of a server: use http://host:port or https://host.`
    })
  }
  const token = Option.filter(given.token, (value) => Redacted.value(value).trim() !== "")
  return Option.match(token, {
    onSome: (token) => Effect.succeed({ server, token }),
    onNone: () =>
      new WrongUsage({
        problem:
          "This command needs an access token. Make one on the server with `errand token create --login NAME`, and put it into ERRAND_TOKEN."
      })
  })
}

/** Tries of a request whose connection broke, or that a proxy answered for a server that starts just now. */
const again = Schedule.intersect(Schedule.jittered(Schedule.exponential("200 millis")), Schedule.recurs(2))

/** The methods of the API, by group. A POST carries a key of its own, so that repeating it does nothing twice. */
export const make = Effect.fn("ErrandClient.make")(function* ({ server, token }: Connection) {
  const ids = yield* Ids
  const keyed = (request: HttpClientRequest.HttpClientRequest) =>
    request.method === "POST"
      ? Effect.map(ids.plain, (key) => HttpClientRequest.setHeader(request, "idempotency-key", key))
      : Effect.succeed(request)
  const httpClient = (yield* HttpClient.HttpClient).pipe(
    HttpClient.mapRequest(HttpClientRequest.bearerToken(token)),
    HttpClient.mapRequestEffect(keyed),
    HttpClient.retryTransient({ schedule: again })
  )
  return yield* HttpApiClient.makeWith(Api, { httpClient, baseUrl: server })
})

export type ErrandClient = Effect.Effect.Success<ReturnType<typeof make>>
