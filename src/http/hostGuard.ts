/**
 * Names under which this server may be asked, and web pages that may ask it.
 *
 * Owns: the defence against DNS rebinding (a foreign name that leads here) and against foreign pages opening sockets.
 * Does not own: who is asking (`authentication.ts`).
 */
import { isIP } from "node:net"
import { Option } from "effect"
import type { Settings } from "../services/AppConfig.ts"

const nameOf = (host: string): string => host.toLowerCase().replace(/:\d+$/, "")

const isAddress = (name: string) => isIP(name.replace(/^\[(.*)\]$/, "$1")) !== 0

const isLocal = (name: string) => name === "localhost" || name.endsWith(".localhost")

const isLoopback = (name: string) => isLocal(name) || name === "[::1]" || name === "::1" || name.startsWith("127.")

export interface HostGuard {
  /** Rebinding needs a name: addresses, `localhost`, the public URL's host and the configured host are safe. */
  readonly isKnownHost: (host: string | undefined) => boolean
  /** Whether a request with this `Host` is answered at all. */
  readonly allowsHost: (host: string | undefined) => boolean
  /** Whether a page of this `Origin` may open the stream; programs send none. */
  readonly allowsOrigin: (origin: string | undefined, host: string | undefined) => boolean
}

export const make = (settings: Pick<Settings, "host" | "publicUrl">): HostGuard => {
  const publicUrl = Option.map(settings.publicUrl, (url) => new URL(url))
  const names = [settings.host.toLowerCase(), ...Option.toArray(Option.map(publicUrl, (url) => url.hostname))]
  const isKnownHost = (host: string | undefined) => {
    const name = nameOf(host ?? "")
    return isAddress(name) || isLocal(name) || names.includes(name)
  }
  // A server on a network can't know by which names its own programs reach it.
  const knowsItsNames = isLoopback(settings.host)
  return {
    isKnownHost,
    allowsHost: (host) => !knowsItsNames || isKnownHost(host),
    allowsOrigin: (origin, host) => {
      if (origin === undefined) return true
      if (Option.exists(publicUrl, (url) => url.origin === origin)) return true
      return isKnownHost(host) && (origin === `http://${host}` || origin === `https://${host}`)
    }
  }
}

/** True for a request from this machine that no proxy has passed on. */
export const isDirectFromLoopback = (
  address: Option.Option<string>,
  headers: Readonly<Record<string, string | undefined>>
): boolean =>
  Option.exists(address, (ip) => /^(?:127\.|::1$|::ffff:127\.)/.test(ip)) &&
  !Object.keys(headers).some((name) => name === "forwarded" || name === "via" || name.startsWith("x-forwarded-"))
