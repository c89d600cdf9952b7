/**
 * The secrets of one run: what its sandbox gets to see of them, and who puts in their values on the way out.
 */
import { Effect } from "effect"
import { createSecureContext, type SecureContext } from "node:tls"
import { maskOf } from "../../services/masking.ts"
import type { Secret } from "../../services/Secrets.ts"
import type { Interceptor } from "../egress/Interception.ts"
import { makeAuthority } from "./certificates.ts"
import { placeholderFor } from "./placeholders.ts"
import { serveTunnel } from "./serveTunnel.ts"

/** `roots`: certificates in PEM that hosts are checked against, instead of those that the server trusts anyway. */
export const interceptorFor = (
  secrets: ReadonlyArray<Secret>,
  title: string,
  now: number,
  roots?: ReadonlyArray<string>
): Interceptor => {
  const placeholders = secrets.map(placeholderFor)
  const texts = new Map<string, string>(placeholders.map(({ secret, text }) => [secret.name, text]))
  const hosts = [...new Set(secrets.flatMap((secret) => secret.hosts))]
  const mask = maskOf(secrets, ({ name }) => texts.get(name) ?? "")
  const authority = makeAuthority(title, hosts, now)
  const contexts = new Map<string, SecureContext>()

  const contextFor = (host: string): SecureContext => {
    const known = contexts.get(host)
    if (known !== undefined) return known
    const { certificate, key } = authority.issue(host)
    const context = createSecureContext({ cert: certificate, key, minVersion: "TLSv1.2" })
    contexts.set(host, context)
    return context
  }

  return {
    hosts,
    inside: { variables: Object.fromEntries(texts), authority: authority.certificate },
    wants: (host) => hosts.includes(host),
    take: (tunnel) =>
      Effect.suspend(() =>
        serveTunnel(tunnel, {
          secureContext: contextFor(tunnel.host),
          roots,
          mask,
          placeholders: placeholders.filter(({ secret }) => secret.hosts.includes(tunnel.host))
        })
      )
  }
}
