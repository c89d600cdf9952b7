import { defineConfig } from "vitest/config"
import { ClosingLine } from "./test/support/ClosingLine.ts"

const dockerTests = "test/**/*.docker.test.ts"
const endToEndTests = "test/**/*.e2e.test.ts"

/** What shares one real engine: after the unit tests, one file at a time (vitest bounds the size of a pool, not of a project). */
const serial = {
  pool: "threads",
  testTimeout: 120_000,
  hookTimeout: 180_000
} as const

export default defineConfig({
  test: {
    reporters: ["default", new ClosingLine()],
    isolate: true,
    teardownTimeout: 20_000,
    maxConcurrency: 2,
    poolOptions: {
      forks: { minForks: 1, maxForks: 2 },
      threads: { minThreads: 1, maxThreads: 1 }
    },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          pool: "forks",
          include: ["test/**/*.test.ts"],
          exclude: [dockerTests, endToEndTests],
          testTimeout: 20_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 0 }
        }
      },
      {
        extends: true,
        test: {
          ...serial,
          name: "docker",
          include: [dockerTests],
          globalSetup: ["./test/support/engineSetup.ts"],
          sequence: { groupOrder: 1 }
        }
      },
      {
        extends: true,
        test: {
          ...serial,
          name: "e2e",
          include: [endToEndTests],
          globalSetup: [
            "./test/support/engineSetup.ts",
            "./test/support/smallDiskSetup.ts",
            "./test/support/bundleSetup.ts"
          ],
          sequence: { groupOrder: 2 }
        }
      }
    ]
  }
})
