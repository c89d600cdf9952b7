import { HttpApiClient, HttpClient } from "@effect/platform"
import { Effect, Schedule } from "effect"
import { Api } from "../../http/Api.ts"

/** Tries of a request whose connection broke, or that a proxy answered for a server that starts just now. */
const again = Schedule.intersect(Schedule.jittered(Schedule.exponential("200 millis")), Schedule.recurs(2))

/** Requests that broke on the way are sent again. */
export const patientClient = Effect.map(HttpClient.HttpClient, HttpClient.retryTransient({ schedule: again }))

/** The methods of the API for somebody who is not signed in. */
export const anonymous = (server: string) =>
  Effect.flatMap(patientClient, (httpClient) => HttpApiClient.makeWith(Api, { httpClient, baseUrl: server }))
