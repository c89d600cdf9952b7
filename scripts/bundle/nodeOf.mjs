/**
 * Another Node than the one that runs, from npm, and the SQLite addon compiled for it. Both are kept in
 * node_modules/.cache; the first time takes a minute or two.
 */
import { execFileSync } from "node:child_process"
import { copyFileSync, cpSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))
const fromHere = createRequire(import.meta.url)
const platform = `${process.platform}-${process.arch}`

export const run = (program, args, options = {}) =>
  execFileSync(program, args, { stdio: ["ignore", "inherit", "inherit"], timeout: 900_000, ...options })

/** Built aside and moved into place: what is there is whole. */
const once = (place, make) => {
  if (existsSync(place)) return place
  const draft = `${place}.${process.pid}`
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { recursive: true })
  make(draft)
  renameSync(draft, place)
  return place
}

const fetchNode = (version) => (place) => {
  run("npm", ["pack", `node-${platform}@${version}`, "--silent", "--pack-destination", place], { stdio: "ignore" })
  const archive = join(place, `node-${platform}-${version}.tgz`)
  run("tar", ["-xzf", archive, "-C", place, "--strip-components=1"])
  rmSync(archive)
}

const compileAddon = (home) => (place) => {
  const sqlite = join(fromHere.resolve("better-sqlite3/package.json"), "..")
  const source = join(place, "source")
  cpSync(sqlite, source, { recursive: true, filter: (name) => !name.startsWith(join(sqlite, "build")) })
  const npm = execFileSync("npm", ["root", "--global", "--silent"], { encoding: "utf8" }).trim()
  const gyp = join(npm, "npm/node_modules/node-gyp/bin/node-gyp.js")
  run(join(home, "bin/node"), [gyp, "rebuild", "--release", "--silent", `--nodedir=${home}`], {
    cwd: source,
    // npm's own setting of the headers would count for more than the option.
    env: { ...process.env, npm_config_nodedir: home, PATH: `${join(home, "bin")}:${process.env.PATH}` }
  })
  copyFileSync(join(source, "build/Release/better_sqlite3.node"), join(place, "better_sqlite3.node"))
  run("strip", ["--strip-unneeded", join(place, "better_sqlite3.node")])
  rmSync(source, { recursive: true })
}

/** `cache` is a directory of this version's own, `node` the program, `addon` a file. */
export const nodeOf = (version) => {
  const cache = join(root, "node_modules/.cache/errand-binary", `${version}-${platform}`)
  mkdirSync(cache, { recursive: true })
  const home = once(join(cache, "node"), fetchNode(version))
  const compiled = once(
    join(cache, `better-sqlite3-${fromHere("better-sqlite3/package.json").version}`),
    compileAddon(home)
  )
  return { cache, node: join(home, "bin/node"), addon: join(compiled, "better_sqlite3.node") }
}
