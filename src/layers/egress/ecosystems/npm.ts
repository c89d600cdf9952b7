/** npm: documents of packages and versions, and their tarballs. */
import { type Asked, door, type Ecosystem, type Replacements } from "../Ecosystem.ts"

const publicHost = "registry.npmjs.org"
const name = "[A-Za-z0-9~][A-Za-z0-9._~-]{0,213}"
/** Clients escape the slash behind a scope in documents and write it in tarballs. */
const pack = `(?:@[A-Za-z0-9~][A-Za-z0-9._~-]{0,213}(?:/|%2[fF]))?${name}`
const paths = new RegExp(`^/(${pack}(?:/[A-Za-z0-9.+_-]{1,128}|/-/${name}\\.tgz)?)$`)

const documents = ["application/vnd.npm.install-v1+json", "application/json"]

export const npm: Ecosystem = {
  name: "npm",
  prefixes: ["npm"],
  hosts: [publicHost, "registry.yarnpkg.com"],
  servesHosts: [publicHost],
  route: (asked, { url }) => {
    const [, path] = paths.exec(asked.host === undefined ? asked.path.slice("/npm".length) : asked.path) ?? []
    if (path === undefined) return undefined
    return path.endsWith(".tgz")
      ? { url: `${url}/${path}` }
      : { url: `${url}/${path}`, accept: documents, replacements: tarballs(asked, url) }
  }
}

/**
 * npm itself asks the registry that it is set to for every tarball of the public one, and writes what stands here into
 * the lock file, which is to be right outside of a sandbox too. Other clients ask where they are told.
 */
const tarballs = ({ host, keepsPublicAddresses }: Asked, url: string): Replacements => {
  if (host === undefined) return [[`${url}/`, `${door}/npm/`]]
  return [[`${url}/`, `${keepsPublicAddresses ? "https" : "http"}://${publicHost}/`]]
}
