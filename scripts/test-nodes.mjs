/**
 * `npm run test:nodes`: the unit tests on the other lines of Node that are supported, with Node from npm and the SQLite
 * addon compiled for each. Further words go to vitest: `npm run test:nodes -- test/layers`.
 */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { nodeOf, run } from "./bundle/nodeOf.mjs"

/** 24 is the one that the executable has inside. */
const versions = ["20.19.0", "22.23.3", "24.18.1"]

const root = fileURLToPath(new URL("..", import.meta.url))
const preload = join(root, "scripts/bundle/otherAddon.cjs")

for (const version of versions) {
  const { addon, node } = nodeOf(version)
  console.log(`Node ${version}`)
  run(node, [join(root, "node_modules/vitest/vitest.mjs"), "run", "--project", "unit", ...process.argv.slice(2)], {
    cwd: root,
    timeout: 1_800_000,
    env: {
      ...process.env,
      NODE_OPTIONS: `--require=${preload}`,
      ERRAND_TEST_ADDON: addon,
      PATH: `${join(node, "..")}:${process.env.PATH}`
    }
  })
}
