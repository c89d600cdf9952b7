/**
 * `npm run build:binary`: dist/errand, one file that needs no Node on the machine that it runs on: Node itself with the
 * bundle, what V8 keeps of it, and the SQLite addon inside. For the system that it is built on.
 *
 * That Node, and the addon compiled for it, are kept in node_modules/.cache; the first build takes a minute or two more.
 */
import { chmodSync, copyFileSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { bundle, launcher } from "./bundle/bundle.mjs"
import { nodeOf, run } from "./bundle/nodeOf.mjs"

/** Not later: compiled with the headers of 24.19 or later, better-sqlite3 12 aborts when statements are collected. */
const version = "24.18.1"

const root = fileURLToPath(new URL("..", import.meta.url))
const fromHere = createRequire(import.meta.url)
const { addon, cache, node } = nodeOf(version)

const work = join(cache, `work-${process.pid}`)
const file = (name) => join(work, name)
rmSync(work, { recursive: true, force: true })
mkdirSync(work)

await bundle(root, file("errand.cjs"), { addon: "./scripts/bundle/executableAddon.cjs" })
await launcher(root, "executableLauncher.mjs", file("main.cjs"), { format: "cjs" })
run(node, [join(root, "scripts/bundle/keepCompiled.mjs"), file("errand.cjs"), file("errand.cache")], {
  env: { ...process.env, ERRAND_BUILD_ADDON: addon }
})

const assets = { "errand.cjs": file("errand.cjs"), "errand.cache": file("errand.cache"), "better_sqlite3.node": addon }
writeFileSync(
  file("sea.json"),
  JSON.stringify({ main: file("main.cjs"), output: file("sea.blob"), disableExperimentalSEAWarning: true, assets })
)
run(node, ["--experimental-sea-config", file("sea.json")], { stdio: "ignore" })

const draft = file("errand")
copyFileSync(node, draft)
chmodSync(draft, 0o755)
// Names of functions that only a debugger of Node itself reads: a fifth of the file.
run("strip", [draft])
const fuse = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2"
run(
  process.execPath,
  [fromHere.resolve("postject/dist/cli.js"), draft, "NODE_SEA_BLOB", file("sea.blob"), "--sentinel-fuse", fuse],
  {
    stdio: "ignore"
  }
)
mkdirSync(join(root, "dist"), { recursive: true })
renameSync(draft, join(root, "dist/errand"))
rmSync(work, { recursive: true })
console.log(`dist/errand ${(statSync(join(root, "dist/errand")).size / 2 ** 20).toFixed(0)} MiB, Node ${version}`)
