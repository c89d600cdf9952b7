/**
 * `npm run build`: src/main.ts and all it needs as one file, dist/errand.mjs (the SQLite addon stays in node_modules).
 * Beside it is errand.cache, which makes it start faster on the Node that has built it, and may be missing.
 * `npm run build -- --analyze` also prints what takes the space; `--faults` builds dist/errand-faults.mjs instead, the
 * same with the fault points of test/faults.
 */
import { execFileSync } from "node:child_process"
import { chmodSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { toComment } from "./bundle/comment.mjs"
import { bundle, launcher } from "./bundle/bundle.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))
const withFaults = process.argv.includes("--faults")
const name = withFaults ? "dist/errand-faults" : "dist/errand"
const file = (extension) => `${root}${name}.${extension}`

await bundle(root, file("cjs"), {
  addon: "./scripts/bundle/nativeAddon.cjs",
  analyze: process.argv.includes("--analyze"),
  withFaults
})
rmSync(file("cache"), { force: true })
if (!withFaults) {
  const keep = fileURLToPath(new URL("bundle/keepCompiled.mjs", import.meta.url))
  execFileSync(process.execPath, [keep, file("cjs"), file("cache")], { stdio: "inherit", timeout: 90_000 })
}

await launcher(root, "launcher.mjs", file("new"), { format: "esm", banner: { js: "#!/usr/bin/env node" } })
const text = `${readFileSync(file("new"), "utf8").trimEnd()}\n${toComment(readFileSync(file("cjs"), "latin1"))}`
writeFileSync(file("new"), text, "latin1")
chmodSync(file("new"), 0o755)
renameSync(file("new"), file("mjs"))
rmSync(file("cjs"))
console.log(`${name}.mjs ${(statSync(file("mjs")).size / 1024).toFixed(0)} KiB`)
