/** PyPI: the simple index, the JSON documents of versions, and files. */
import type { Registry } from "../../../services/Registries.ts"
import { door, type Ecosystem } from "../Ecosystem.ts"

const publicFiles = "https://files.pythonhosted.org"
const name = "[A-Za-z0-9](?:[A-Za-z0-9._-]{0,127}[A-Za-z0-9])?"
const documents = new RegExp(`^/pypi(/simple/${name}/?|/pypi/${name}(?:/[A-Za-z0-9.+!_-]{1,64})?/json)$`)
const files = new RegExp(
  `^/pypi-files((?:/[A-Za-z0-9+_-][A-Za-z0-9.+_-]{0,127}){0,10}/${name}[A-Za-z0-9.+!_-]{0,128}` +
    "\\.(?:whl|tar\\.gz|tar\\.bz2|zip|egg)(?:\\.metadata)?)$"
)

const indexes = ["application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+html", "text/html"]

/** A registry of the operator's has its files beside its index. */
const filesOf = ({ trusted, url }: Registry): string => (trusted ? new URL(url).origin : publicFiles)

export const pypi: Ecosystem = {
  name: "pypi",
  prefixes: ["pypi", "pypi-files"],
  hosts: ["pypi.org", "files.pythonhosted.org"],
  servesHosts: [],
  route: ({ path }, registry) => {
    const [, file] = files.exec(path) ?? []
    if (file !== undefined) return { url: `${filesOf(registry)}${file}` }
    const [, document] = documents.exec(path) ?? []
    if (document === undefined) return undefined
    return {
      // A base may be written as pip wants it, with the index in it.
      url: `${registry.url.replace(/\/simple$/, "")}${document}`,
      accept: document.endsWith("/json") ? ["application/json"] : indexes,
      replacements: [
        [`${filesOf(registry)}/`, `${door}/pypi-files/`],
        ['href="/', `href="${door}/pypi-files/`]
      ]
    }
  }
}
