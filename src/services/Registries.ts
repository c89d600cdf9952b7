/**
 * The package registries that every task may read from.
 *
 * Owns: which ones there are, and where the public ones are.
 * Does not own: what may be read of them, and how (`layers/egress/`).
 */

/** In the order in which people read about them. */
export const registryNames = ["npm", "pypi", "crates", "go", "debian"] as const
export type RegistryName = (typeof registryNames)[number]

export interface Registry {
  /** Base URL, without a slash at its end. */
  readonly url: string
  /** The operator has named it: it may be at a private address, and without TLS. */
  readonly trusted: boolean
}

export type Registries = Readonly<Record<RegistryName, Registry>>

const known = (url: string): Registry => ({ url, trusted: false })

export const publicRegistries: Registries = {
  npm: known("https://registry.npmjs.org"),
  pypi: known("https://pypi.org"),
  crates: known("https://index.crates.io"),
  go: known("https://proxy.golang.org"),
  debian: known("http://deb.debian.org")
}
