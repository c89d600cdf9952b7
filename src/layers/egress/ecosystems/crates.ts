/** crates.io: the sparse index, and the archives of crates where its `config.json` says that they are. */
import type { Registry } from "../../../services/Registries.ts"
import { door, type Ecosystem } from "../Ecosystem.ts"

const publicDownloads = "https://static.crates.io"
const crate = "[A-Za-z0-9_-]{1,64}"
const indexEntry = `(?:[12]/${crate}|3/[a-z0-9_-]/${crate}|[a-z0-9_-]{2}/[a-z0-9_-]{2}/${crate})`
const index = new RegExp(`^/crates/(${indexEntry}|config\\.json)$`)
const segment = "[A-Za-z0-9_-][A-Za-z0-9._+-]{0,127}"
const downloads = new RegExp(
  `^/crates-files((?:/${segment}){0,8}/(?:${crate}/${segment}/download|${segment}\\.crate))$`
)

/** A registry of the operator's has its archives beside its index. */
const downloadsOf = ({ trusted, url }: Registry): string => (trusted ? new URL(url).origin : publicDownloads)

export const crates: Ecosystem = {
  name: "crates",
  prefixes: ["crates", "crates-files"],
  hosts: ["index.crates.io", "static.crates.io", "crates.io"],
  servesHosts: [],
  route: ({ path }, registry) => {
    const [, archive] = downloads.exec(path) ?? []
    if (archive !== undefined) return { url: `${downloadsOf(registry)}${archive}` }
    const [, entry] = index.exec(path) ?? []
    if (entry === undefined) return undefined
    return entry === "config.json"
      ? { url: `${registry.url}/${entry}`, replacements: [[`${downloadsOf(registry)}/`, `${door}/crates-files/`]] }
      : { url: `${registry.url}/${entry}` }
  }
}
