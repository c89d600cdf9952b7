/**
 * `npm run test:nodes`: the unit tests on the other lines of Node that are supported than the one that this runs on, with
 * Node from npm and the SQLite addon compiled for each. Further words go to vitest: `npm run test:nodes -- test/layers`.
 * All lines are run even when one fails.
 */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { nodeOf } from "./bundle/nodeOf.mjs"

/** 24 is the one that the executable has inside. */
const versions = ["20.19.0", "22.23.3", "24.18.1"]
const lineOf = (version) => version.split(".")[0]

const root = fileURLToPath(new URL("..", import.meta.url))
const preload = join(root, "scripts/bundle/otherAddon.cjs")
const failed = []

for (const version of versions.filter((other) => lineOf(other) !== lineOf(process.versions.node))) {
  const { addon, node } = nodeOf(version)
  console.log(`Node ${version}`)
  const vitest = [join(root, "node_modules/vitest/vitest.mjs"), "run", "--project", "unit", ...process.argv.slice(2)]
  const { status } = spawnSync(node, vitest, {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    timeout: 1_800_000,
    env: {
      ...process.env,
      NODE_OPTIONS: `--require=${preload}`,
      ERRAND_TEST_ADDON: addon,
      PATH: `${join(node, "..")}:${process.env.PATH}`
    }
  })
  if (status !== 0) failed.push(version)
}
if (failed.length > 0) console.error(`test:nodes: failed on Node ${failed.join(", ")}`)
process.exitCode = failed.length > 0 ? 1 : 0
