import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"

/** Builds dist/errand.mjs once, so that end-to-end tests run what users run. */
export default function setup() {
  execFileSync(process.execPath, [fileURLToPath(new URL("../../scripts/build.mjs", import.meta.url))], {
    stdio: "inherit",
    timeout: 120_000
  })
}
