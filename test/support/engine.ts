import { spawnSync } from "node:child_process"
import { describe, inject, it } from "vitest"
import { missingForOwnEngine } from "./ownEngine.ts"

/**
 * A `describe` for tests on a real Docker engine, in `*.docker.test.ts` and `*.e2e.test.ts`.
 * Without an engine its tests are skipped and the run's last lines say why; with `CI=true` that is a failure.
 */
export const describeWithEngine = (name: string, tests: () => void) =>
  describeUnless(inject("missingEngine"), "scripts/install-test-host installs and starts one", name, tests)

/** The same for tests that also need a small file system of their own: `smallDisk.ts` mounts one, as root. */
export const describeWithSmallDisk = (name: string, tests: () => void) => {
  const missing = inject("missingSmallDisk")
  return missing === ""
    ? describeWithEngine(name, tests)
    : describeUnless(missing, "run the tests as root", name, tests)
}

/** The same for tests that start engines of their own, with these other runtimes. */
export const describeWithOwnEngine = (name: string, runtimes: ReadonlyArray<string>, tests: () => void) => {
  const missing = missingForOwnEngine(runtimes)
  return missing === ""
    ? describeWithEngine(name, tests)
    : describeUnless(missing, "scripts/install-test-host, as root, installs them", name, tests)
}

const compose = spawnSync("docker-compose", ["version"], { stdio: "ignore" })

/** The same for tests that need Docker Compose, of the oldest version that Debian 12 has. */
export const describeWithCompose = (name: string, tests: () => void) =>
  compose.status === 0
    ? describeWithEngine(name, tests)
    : describeUnless("docker-compose is not installed", "scripts/install-test-host, as root, installs it", name, tests)

const describeUnless = (missing: string, remedy: string, name: string, tests: () => void) => {
  if (missing === "" || process.env["CI"] !== "true") return describe.skipIf(missing !== "")(name, tests)
  return describe(name, () => {
    it("has what it needs", () => {
      throw new Error(`${missing}; ${remedy}`)
    })
  })
}
