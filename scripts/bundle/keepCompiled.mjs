/**
 * `node keepCompiled.mjs <bundle.cjs> <cache>`: serves with a bundle until it has answered, and keeps what V8 has
 * compiled of it by then. To be run by the Node that will use it, whose version of V8 must be the same.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import v8 from "node:v8"
import { compile } from "./compile.mjs"

const [bundle, cache] = process.argv.slice(2)
const dataDir = mkdtempSync(join(tmpdir(), "errand-build-"))
process.env = {
  PATH: process.env.PATH,
  ERRAND_BUILD_ADDON: process.env.ERRAND_BUILD_ADDON,
  ERRAND_DATA_DIR: dataDir,
  ERRAND_PORT: "0",
  DOCKER_HOST: "unix:///nonexistent/docker.sock"
}
process.chdir(dataDir)
process.argv.splice(2, Infinity, "serve", "--json")

// V8 refuses what was kept under other flags than it is started with.
v8.setFlagsFromString = () => {}

const { run, script } = compile(readFileSync(bundle, "latin1"), bundle, undefined)

const keep = async (url) => {
  for (const path of ["/healthz", "/readyz", "/api/v1/tasks"]) await (await fetch(url + path)).arrayBuffer()
  writeFileSync(cache, script.createCachedData())
  rmSync(dataDir, { recursive: true, force: true })
  process.exit(0)
}

process.stdout.write = (text) => {
  const { url } = JSON.parse(text)
  keep(url).catch((error) => {
    console.error(error)
    process.exit(1)
  })
  return true
}
process.stderr.write = () => true
setTimeout(() => process.exit(1), 60_000).unref()
run(createRequire(bundle))
