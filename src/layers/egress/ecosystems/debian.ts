/** Debian: indices and packages of the archive and of its security updates. */
import type { Ecosystem } from "../Ecosystem.ts"

/** apt escapes these characters, which stand for nothing but themselves. */
const escaped = /%(2[bB]|7[eE]|3[aA]|5[fF])/g
const segment = "[A-Za-z0-9+_~-][A-Za-z0-9._+~:-]{0,255}"
const paths = new RegExp(`^/(?:debian|debian-security)/(?:dists|pool)(?:/${segment}){1,12}$`)

export const debian: Ecosystem = {
  name: "debian",
  prefixes: ["debian", "debian-security"],
  hosts: ["deb.debian.org", "security.debian.org"],
  servesHosts: ["deb.debian.org", "security.debian.org"],
  route: (asked, { url }) => {
    const path = asked.path.replace(escaped, (escape) => decodeURIComponent(escape))
    // A base may be written as sources.list has it, with the archive in it.
    return paths.test(path) ? { url: `${url.replace(/\/debian$/, "")}${path}` } : undefined
  }
}
