import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const build = fileURLToPath(new URL("../../scripts/build.mjs", import.meta.url))

/** Builds dist/errand.mjs once, so that end-to-end tests run what users run, and the same with fault points. */
export default function setup() {
  for (const options of [[], ["--faults"]]) {
    execFileSync(process.execPath, [build, ...options], { stdio: "inherit", timeout: 120_000 })
  }
}
