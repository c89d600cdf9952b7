import { describe, inject, it } from "vitest"

/**
 * A `describe` for tests on a real Docker engine, in `*.docker.test.ts` and `*.e2e.test.ts`.
 * Without an engine its tests are skipped and the run's last lines say why; with `CI=true` that is a failure.
 */
export const describeWithEngine = (name: string, tests: () => void) => {
  const missing = inject("missingEngine")
  if (missing === "" || process.env["CI"] !== "true") return describe.skipIf(missing !== "")(name, tests)
  return describe(name, () => {
    it("has a Docker engine", () => {
      throw new Error(`${missing}; scripts/install-test-host installs and starts one`)
    })
  })
}
