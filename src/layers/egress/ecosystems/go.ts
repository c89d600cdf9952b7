/** Go: the module proxy, and the checksum database through it. */
import type { Ecosystem } from "../Ecosystem.ts"

const publicSums = "https://sum.golang.org"
/** Upper-case letters are escaped as `!` and the letter. */
const element = "[a-z0-9_~!][a-z0-9._~!+-]{0,127}"
const module = `${element}(?:/${element}){0,15}`
const version = "[a-z0-9][a-z0-9.!+_-]{0,127}"
const modules = new RegExp(`^/go/(${module}/(?:@v/list|@latest|@v/${version}\\.(?:info|mod|zip)))$`)
const sums = new RegExp(
  `^/go/sumdb/sum\\.golang\\.org/(supported|latest|lookup/${module}@${version}|tile/\\d{1,2}/(?:\\d{1,2}|data)/(?:x\\d{3}/){0,6}\\d{3}(?:\\.p/\\d{1,3})?)$`
)
const sumTiles = "/sumdb/sum.golang.org/"

export const go: Ecosystem = {
  name: "go",
  prefixes: ["go"],
  hosts: ["proxy.golang.org", "sum.golang.org"],
  servesHosts: [],
  route: ({ path }, { trusted, url }) => {
    const [, found] = modules.exec(path) ?? []
    if (found !== undefined) return { url: `${url}/${found}` }
    const [, sum] = sums.exec(path) ?? []
    if (sum === undefined) return undefined
    if (trusted) return { url: `${url}${sumTiles}${sum}` }
    return sum === "supported" ? { url: publicSums, answer: "" } : { url: `${publicSums}/${sum}` }
  }
}
