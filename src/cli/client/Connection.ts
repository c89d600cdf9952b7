/**
 * Where a command's server is, and what it shows there.
 *
 * Owns: the shape of it, checking the URL, a token that stays the same.
 * Does not own: the token of a session, which changes (`session.ts`), requests (`ErrandClient.ts`).
 */
import type { HttpApiError } from "@effect/platform"
import type { HttpClientError } from "@effect/platform/HttpClientError"
import { Effect, type ParseResult, type Redacted, Schema } from "effect"
import type { Problem } from "../../http/api/Problem.ts"
import { WrongUsage } from "../outcome.ts"
import type { SessionFileUnusable } from "./SessionFile.ts"

/** There was a session, and the server has ended it. */
export class SessionOver extends Schema.TaggedError<SessionOver>()("SessionOver", { server: Schema.String }) {
  override get message() {
    return `Your session at ${this.server} is over: it was revoked, or not used for too long. Sign in again with \`errand login\`.`
  }
}

/** A renewal had no answer in time. */
export class ServerSilent extends Schema.TaggedError<ServerSilent>()("ServerSilent", { server: Schema.String }) {
  override get message() {
    return `${this.server} does not answer. Try again in a moment.`
  }
}

export type RequestFailure = Problem | HttpApiError.HttpApiDecodeError | HttpClientError | ParseResult.ParseError

export type TokenFailure = ServerSilent | SessionOver | SessionFileUnusable | RequestFailure

export interface Connection {
  /** Without a slash at its end. */
  readonly server: string
  /** What to show now: asked for each request, because that of a session is good for minutes. */
  readonly token: Effect.Effect<Redacted.Redacted, TokenFailure>
  /** After the server refused the last one: whether there is another one now. */
  readonly renew: Effect.Effect<boolean, TokenFailure>
}

/** An access token, which is good until it is revoked. */
export const withToken = (server: string, token: Redacted.Redacted): Connection => ({
  server,
  token: Effect.succeed(token),
  renew: Effect.succeed(false)
})

const httpUrl = /^https?:\/\/[^\s/?#@]+(?:\/[^\s?#]*)?$/

/** Checks what the user gave, and brings it into the form in which sessions are kept. */
export const serverUrl = (given: string): Effect.Effect<string, WrongUsage> => {
  const server = given.trim()
  return httpUrl.test(server) && URL.canParse(server)
    ? Effect.succeed(new URL(server).href.replace(/\/+$/u, ""))
    : new WrongUsage({ problem: `"${given}" is not the URL of a server: use http://host:port or https://host.` })
}
