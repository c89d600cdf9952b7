/**
 * Completes package-lock.json after `npm install` against a registry that lacks other platforms' packages.
 *
 * npm leaves an optional dependency out of the lock when the registry answers 404 for it, and `npm ci` then
 * refuses the lock. This adds the missing entries: version from the package that asks for it, platform from its name.
 * They carry no integrity; an `npm install` against a complete registry fills it in.
 */
import { readFileSync, writeFileSync } from "node:fs"

const systems = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"]
const processors = ["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "x64"]
const libraries = { gnu: "glibc", gnueabihf: "glibc", musl: "musl", musleabihf: "musl" }

const platformOf = (name) => {
  const words = name.split("/").at(-1).split("-")
  const os = words.find((word) => systems.includes(word))
  const cpu = words.find((word) => processors.includes(word))
  if (os === undefined || cpu === undefined) throw new Error(`${name}: no platform can be read from the name`)
  const library = os === "linux" ? words.map((word) => libraries[word]).find(Boolean) : undefined
  return { cpu: [cpu], ...(library ? { libc: [library] } : {}), os: [os] }
}

const isLocked = (packages, from, name) => {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    if (`${folder}/node_modules/${name}`.replace(/^\//, "") in packages) return true
    if (folder === "") return false
  }
}

const file = new URL("../package-lock.json", import.meta.url)
const lock = JSON.parse(readFileSync(file, "utf8"))
let added = 0
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isLocked(lock.packages, path, name)) continue
    if (!/^\d+\.\d+\.\d+/.test(version)) throw new Error(`${name}: ${version} is not an exact version`)
    lock.packages[`node_modules/${name}`] = {
      version,
      ...(entry.dev ? { dev: true } : {}),
      optional: true,
      ...platformOf(name)
    }
    added++
  }
}
const sorted = Object.entries(lock.packages).toSorted(([a], [b]) => a.localeCompare(b, "en"))
writeFileSync(file, JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2) + "\n")
console.log(`package-lock.json: ${added} entries added`)
