/**
 * Requests on their way out: placeholders become values.
 *
 * Owns: where a value is put in. In headers (also inside `Basic` credentials) and in the query, which carry credentials;
 * never in a path or a body, which a host stores and shows: whoever wrote the placeholder there would publish the value.
 */
import { Redacted } from "effect"
import type { Placeholder } from "./placeholders.ts"

/** Name and value by turns, as they came. */
export type RawHeaders = ReadonlyArray<string>

export interface Outgoing {
  readonly path: string
  readonly headers: RawHeaders
}

interface Header {
  /** As it came: some hosts know a header in one spelling only. */
  readonly name: string
  readonly key: string
  readonly value: string
}

const headersOf = (raw: RawHeaders): ReadonlyArray<Header> =>
  Array.from({ length: raw.length / 2 }, (_, n) => {
    const [name = "", value = ""] = raw.slice(2 * n, 2 * n + 2)
    return { name, key: name.toLowerCase(), value }
  })

/** What concerns this connection alone. */
const ofTheConnection = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authorization",
  "te",
  "trailer",
  "upgrade",
  "http2-settings",
  "expect"
])

/**
 * What would let a value come back in a form in which it is not found: in ranges, one half after the other, or in an
 * encoding.
 */
const ofTheAnswer = new Set(["range", "if-range", "accept-encoding"])

/** Whom a message is for and where it ends: without that a body is read as the next request, which nobody has looked at. */
const ofTheMessage = new Set(["host", "content-length", "transfer-encoding", "content-encoding"])

/** Headers that may be sent on; those that `connection` names are for this connection, too. */
export const endToEnd = (raw: RawHeaders): ReadonlyArray<Header> => {
  const all = headersOf(raw)
  const named = all.flatMap(({ key, value }) => (key === "connection" ? value.toLowerCase().split(/[\s,]+/) : []))
  return all.filter(({ key }) => !ofTheConnection.has(key) && (ofTheMessage.has(key) || !named.includes(key)))
}

const replaceAll = (text: string, placeholders: ReadonlyArray<Placeholder>, form: (value: string) => string): string =>
  placeholders.reduce(
    (replaced, placeholder) =>
      replaced.replaceAll(placeholder.text, () => form(Redacted.value(placeholder.secret.value))),
    text
  )

const itself = (value: string): string => value

const basic = /^(Basic +)([A-Za-z0-9+/]+={0,2})$/i

const headerValue = (value: string, placeholders: ReadonlyArray<Placeholder>): string => {
  const [, scheme, credentials = ""] = basic.exec(value) ?? []
  if (scheme === undefined) return replaceAll(value, placeholders, itself)
  const decoded = Buffer.from(credentials, "base64").toString("latin1")
  const replaced = replaceAll(decoded, placeholders, itself)
  return replaced === decoded ? value : scheme + Buffer.from(replaced, "latin1").toString("base64")
}

/** Why a request is not sent on; the client is told. */
export const faultOf = (host: string, target: string, raw: RawHeaders): string | undefined => {
  const hosts = headersOf(raw).flatMap(({ key, value }) => (key === "host" ? [value.toLowerCase()] : []))
  if (hosts.length !== 1 || (hosts[0] !== host && hosts[0] !== `${host}:443`)) {
    return `A request in the tunnel to ${host} must be for ${host} (Host).`
  }
  return target.startsWith("/") ? undefined : "The target of a request must be a path."
}

/** `placeholders`: those of the secrets that are bound to this host, and no others. */
export const outgoing = (target: string, raw: RawHeaders, placeholders: ReadonlyArray<Placeholder>): Outgoing => {
  const kept = endToEnd(raw).filter(({ key }) => !ofTheAnswer.has(key))
  const headers = kept.flatMap(({ name, value }) => [name, headerValue(value, placeholders)])
  const query = target.indexOf("?")
  const path =
    query < 0 ? target : target.slice(0, query) + replaceAll(target.slice(query), placeholders, encodeURIComponent)
  return { path, headers: [...headers, "Accept-Encoding", "identity"] }
}
