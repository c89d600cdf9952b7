/**
 * The registries at the proxy's door: which requests are for which, and what each of them may be asked.
 *
 * Owns: from the target of a request to what is asked upstream. Whatever is not in a registry's own grammar is refused:
 * nothing is decoded, resolved or repaired on the way.
 * Does not own: asking (`fetchPackage.ts`).
 */
import { Option } from "effect"
import type { Registries, RegistryName } from "../../services/Registries.ts"
import { type Asked, door, type Ecosystem, type Found } from "./Ecosystem.ts"
import { crates } from "./ecosystems/crates.ts"
import { debian } from "./ecosystems/debian.ts"
import { go } from "./ecosystems/go.ts"
import { npm } from "./ecosystems/npm.ts"
import { pypi } from "./ecosystems/pypi.ts"

const ecosystems: Readonly<Record<RegistryName, Ecosystem>> = { npm, pypi, crates, go, debian }

const all = Object.values(ecosystems)

/** The registry that a public host name belongs to. */
export const registryOf = (host: string): RegistryName | undefined =>
  all.find(({ hosts }) => hosts.includes(host))?.name

/** A client that knows its registry by the proxy's address, or one that asks a proxy for `http://<host of the registry>/`. */
const parts = /^(?:http:\/\/([a-z0-9.-]+)(?::80)?)?(\/.*)$/

const asked = (target: string, userAgent: string): Asked | undefined => {
  const keepsPublicAddresses = userAgent.startsWith("npm/")
  const [, host, path = ""] = parts.exec(target.startsWith(`${door}/`) ? target.slice(door.length) : target) ?? []
  if (host !== undefined) {
    const ecosystem = all.find(({ servesHosts }) => servesHosts.includes(host))
    return ecosystem && { ecosystem, path, host, keepsPublicAddresses }
  }
  const ecosystem = all.find(({ prefixes }) => prefixes.some((prefix) => path.startsWith(`/${prefix}/`)))
  return ecosystem && { ecosystem, path, host: undefined, keepsPublicAddresses }
}

/** Empty and dotted segments, escapes of what needs none: some server may take them for something else. */
const notCanonical = /\/\.{0,2}(?=\/|$)|[^\x21-\x7e]|[\\?#;]/

/** What a target means; none where it is not for a registry at all. */
export const find = (target: string, userAgent: string, registries: Registries): Option.Option<Found> => {
  const request = asked(target, userAgent)
  if (request === undefined) return Option.none()
  const { ecosystem, path } = request
  const registry = registries[ecosystem.name]
  const isCanonical = !notCanonical.test(path.replace(/(?<=[^/])\/$/, ""))
  const route = isCanonical ? ecosystem.route(request, registry) : undefined
  return Option.some({ name: ecosystem.name, host: new URL(registry.url).host, route })
}
