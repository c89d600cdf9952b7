import type { Reporter, TestModule, Vitest } from "vitest/node"

const counted = (module: TestModule) => {
  const tests = [...module.children.allTests()]
  const inState = (state: string) => tests.filter((test) => test.result().state === state).length
  // A file that does not load and a hook that throws have no failed test to show for it.
  const outsideTests = [module, ...module.children.allSuites()].filter((task) => task.errors().length > 0).length
  const passed = inState("passed")
  const failed = inState("failed")
  return { passed, failed: failed + outsideTests, skipped: tests.length - passed - failed }
}

/** Ends the output with `N passed, N failed[, N skipped]`, names why tests were skipped, and fails a run of nothing. */
export class ClosingLine implements Reporter {
  private passed = 0
  private failed = 0
  private skipped = 0
  private readonly reasons = new Map<string, number>()

  onInit(vitest: Vitest) {
    // The last listener to write: vitest itself still prints after the last event a reporter gets.
    if (!vitest.config.watch) process.once("exit", () => this.print())
  }

  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandledErrors: ReadonlyArray<unknown>, reason: string) {
    this.failed += unhandledErrors.length
    for (const module of modules) {
      const { passed, failed, skipped } = counted(module)
      this.passed += passed
      this.failed += failed
      this.skipped += skipped
      const { missingEngine, missingSmallDisk } = module.project.getProvidedContext()
      const missing = missingEngine || missingSmallDisk
      if (skipped > 0 && missing) this.reasons.set(missing, (this.reasons.get(missing) ?? 0) + skipped)
    }
    if (reason === "interrupted" || this.failed > 0 || this.passed === 0) process.exitCode = 1
  }

  private print() {
    const reasons = [...this.reasons].map(([reason, tests]) => `${tests} skipped: ${reason}\n`).join("")
    const skipped = this.skipped > 0 ? `, ${this.skipped} skipped` : ""
    if (this.passed === 0) process.exitCode = 1
    process.stdout.write(`${reasons}${this.passed} passed, ${this.failed} failed${skipped}\n`)
  }
}
