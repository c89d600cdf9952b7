/**
 * The cookie of a browser's session.
 *
 * Owns: its name and attributes. Scripts can't read it; other sites can send no command with it.
 * Does not own: whose it is (`Accounts`), which pages may use it (`hostGuard.ts`).
 */
import { HttpServerRequest, type HttpServerResponse } from "@effect/platform"
import * as Response from "@effect/platform/HttpServerResponse"
import { Effect, Option, Redacted } from "effect"
import type { Settings } from "../services/AppConfig.ts"

export interface SessionCookie {
  readonly read: Effect.Effect<Option.Option<Redacted.Redacted>, never, HttpServerRequest.HttpServerRequest>
  readonly set: (
    response: HttpServerResponse.HttpServerResponse,
    cookie: Redacted.Redacted
  ) => HttpServerResponse.HttpServerResponse
  readonly clear: (response: HttpServerResponse.HttpServerResponse) => HttpServerResponse.HttpServerResponse
  /** A cookie of the same kind, for a sign-in that is under way. */
  readonly named: (name: string) => SessionCookie
}

/** As long as a session lasts that nobody uses. */
const lifetime = "30 days"

const make = (base: string, secure: boolean): SessionCookie => {
  // The prefix makes browsers refuse one that another host, or a page without TLS, has set.
  const name = secure ? `__Host-${base}` : base
  const options = { httpOnly: true, secure, sameSite: "lax", path: "/" } as const
  return {
    read: Effect.map(HttpServerRequest.HttpServerRequest, ({ cookies }) =>
      Option.map(Option.fromNullable(cookies[name]), Redacted.make)
    ),
    set: (response, cookie) =>
      Response.unsafeSetCookie(response, name, Redacted.value(cookie), { ...options, maxAge: lifetime }),
    clear: (response) => Response.unsafeSetCookie(response, name, "", { ...options, maxAge: 0 }),
    named: (other) => make(other, secure)
  }
}

export const makeSessionCookie = ({ publicUrl }: Pick<Settings, "publicUrl">): SessionCookie =>
  make(
    "errand_session",
    Option.exists(publicUrl, (url) => url.startsWith("https://"))
  )
