/**
 * One kind of registry, as the proxy serves it.
 */
import type { Registry, RegistryName } from "../../services/Registries.ts"

/** Where commands inside a sandbox find the proxy: the forwarder listens there (`sandbox/runner/egress.py`). */
export const door = "http://127.0.0.1:3128"

/** What a client asked for; `host` when it asked in a host's own name, `path` otherwise has the prefix of the registry. */
export interface Asked {
  readonly ecosystem: Ecosystem
  readonly path: string
  readonly host: string | undefined
  /** The client finds its own way to what the public registry's own addresses name. */
  readonly keepsPublicAddresses: boolean
}

/** Texts in the answer and what stands in their place: addresses that must lead through the proxy too. */
export type Replacements = ReadonlyArray<readonly [string, string]>

export interface Route {
  readonly url: string
  /** Media types that a client may choose from; any where there are none. */
  readonly accept?: ReadonlyArray<string>
  /** Where the answer has addresses. */
  readonly replacements?: Replacements
  /** Answered here, without a question upstream. */
  readonly answer?: string
}

export interface Ecosystem {
  readonly name: RegistryName
  /** First segments of paths at the door. */
  readonly prefixes: ReadonlyArray<string>
  /** Public names of the registry: nothing of it comes through tunnels. */
  readonly hosts: ReadonlyArray<string>
  /** Those of them in whose name plain HTTP is served. */
  readonly servesHosts: ReadonlyArray<string>
  /** What a canonical path means; undefined for what is no path of such a registry. */
  readonly route: (asked: Asked, registry: Registry) => Route | undefined
}

export interface Found {
  readonly name: RegistryName
  /** For the log and for messages. */
  readonly host: string
  /** Undefined for what is no path of such a registry. */
  readonly route: Route | undefined
}
