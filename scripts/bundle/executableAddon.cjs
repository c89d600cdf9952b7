/**
 * Stands in for the package `bindings` in the single executable: the addon is inside of it, and the system can only
 * load files. It is written once into a directory that belongs to this user alone.
 */
const { createHash } = require("node:crypto")
const { chmodSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } = require("node:fs")
const { homedir, tmpdir, constants } = require("node:os")
const { join } = require("node:path")
const { getRawAsset, isSea } = require("node:sea")

/** systemd's own, the user's, and where nothing else can be written: a place may be missing, or forbid programs. */
const places = () => [
  ...[process.env.CACHE_DIRECTORY, process.env.XDG_CACHE_HOME].filter(Boolean).map((path) => join(path, "errand")),
  join(homedir(), ".cache", "errand"),
  join(tmpdir(), `errand-${process.getuid()}`)
]

const isOwn = (path) => {
  const { mode, uid } = lstatSync(path)
  return uid === process.getuid() && (mode & 0o022) === 0
}

const isThere = (file, bytes) => {
  try {
    return isOwn(file) && readFileSync(file).equals(bytes)
  } catch {
    return false
  }
}

const put = (directory, name, bytes) => {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (!lstatSync(directory).isDirectory() || !isOwn(directory)) throw new Error(`${directory} belongs to others too`)
  const file = join(directory, name)
  if (isThere(file, bytes)) return file
  const draft = `${file}.${process.pid}`
  rmSync(draft, { force: true })
  writeFileSync(draft, bytes, { flag: "wx", mode: 0o500 })
  chmodSync(draft, 0o500)
  renameSync(draft, file)
  return file
}

const load = (file) => {
  const module = { exports: {} }
  process.dlopen(module, file, constants.dlopen.RTLD_NOW)
  return module.exports
}

module.exports = (addon) => {
  // While the executable is built there is none to look into.
  if (!isSea()) return load(process.env.ERRAND_BUILD_ADDON)
  const bytes = Buffer.from(getRawAsset(addon))
  const name = `${createHash("sha256").update(bytes).digest("hex").slice(0, 16)}-${addon}`
  const problems = []
  for (const directory of places()) {
    try {
      return load(put(directory, name, bytes))
    } catch (error) {
      problems.push(error.message)
    }
  }
  throw new Error(
    `SQLite can't be loaded. Set XDG_CACHE_HOME to a directory that may hold programs.\n${problems.join("\n")}`
  )
}
