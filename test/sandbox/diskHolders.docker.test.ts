/** Loop devices are held until they are let go, and nothing holds them when whoever asked for them is gone. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { execFileSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { makeAttachCopy } from "../../src/sandbox/diskHolders.ts"
import { describeWithEngine } from "../support/engine.ts"
import { eventually } from "../support/sandboxContract.ts"

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "errand-holders-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
)

const attachedOf = (directory: string) =>
  execFileSync("losetup", ["--list", "--noheadings", "--output", "NAME,BACK-FILE"], { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.includes(directory))
    .map((line) => line.split(" ")[0])

const areAttached = (directory: string, devices: ReadonlyArray<string>) =>
  eventually(Effect.sync(() => attachedOf(directory).toSorted().join() === devices.toSorted().join()))

/** Its holders are not this process's children. */
const shellOf = (directory: string) =>
  Number(
    readdirSync("/proc/self/task")
      .flatMap((thread) => readFileSync(`/proc/self/task/${thread}/children`, "utf8").trim().split(" "))
      .find((child) => child !== "" && readFileSync(`/proc/${child}/cmdline`).includes(directory))
  )

/** A directory, and what attaches copies of a template in it. */
const setUp = Effect.gen(function* () {
  const directory = yield* temporary
  const template = join(directory, "template")
  writeFileSync(template, "")
  truncateSync(template, 2 ** 20)
  const shells = yield* Scope.make()
  yield* Effect.addFinalizer(() => Scope.close(shells, Exit.void))
  return { directory, template, shells, attachCopy: yield* Scope.extend(makeAttachCopy(template, directory), shells) }
})

describeWithEngine("a loop device", () => {
  const test = it.scopedLive.runIf(process.getuid?.() === 0)

  test("is held until it is let go, several at once", () =>
    Effect.gen(function* () {
      const { attachCopy, directory } = yield* setUp
      const [one, others] = [yield* Scope.make(), yield* Scope.make()]
      const devices = yield* Effect.forEach([one, others, others], (scope) => Scope.extend(attachCopy, scope), {
        concurrency: 3
      })
      assert.isTrue(yield* areAttached(directory, devices))
      assert.deepStrictEqual(readdirSync(directory), ["template"])
      yield* Scope.close(one, Exit.void)
      assert.isTrue(yield* areAttached(directory, devices.slice(1)))
      yield* Scope.close(others, Exit.void)
      assert.isTrue(yield* areAttached(directory, []))
    }))

  // Seen to fail with `release` told before it holds, and with none told then.
  test("that nobody waits for any more is let go too, once it is held", () =>
    Effect.gen(function* () {
      const { attachCopy, directory } = yield* setUp
      for (const wait of [0, 1, 3, 5, 8, 12, 20]) {
        yield* Effect.scoped(attachCopy).pipe(Effect.timeoutOption(wait))
      }
      const device = yield* attachCopy
      assert.isTrue(yield* eventually(Effect.sync(() => readdirSync(directory).join() === "template")))
      assert.isTrue(yield* areAttached(directory, [device]))
    }))

  test("that can't be had says why, and the next one can", () =>
    Effect.gen(function* () {
      const { attachCopy, directory, template } = yield* setUp
      rmSync(template)
      const { detail } = yield* Effect.flip(attachCopy)
      assert.include(detail, "No such file or directory")
      writeFileSync(template, "")
      truncateSync(template, 2 ** 20)
      const device = yield* attachCopy
      assert.isTrue(yield* areAttached(directory, [device]))
    }))

  // Seen to hang without the wait being interruptible.
  test("is not waited for without end, also by who can't be interrupted", () =>
    Effect.gen(function* () {
      const { attachCopy, directory } = yield* setUp
      yield* Effect.scoped(attachCopy)
      const shell = shellOf(directory)
      process.kill(shell, "SIGSTOP")
      const { detail } = yield* Effect.flip(Effect.scoped(Effect.uninterruptible(attachCopy)))
      process.kill(shell, "SIGCONT")
      assert.include(detail, "in time")
      yield* attachCopy
      assert.isTrue(yield* eventually(Effect.sync(() => readdirSync(directory).join() === "template")))
    }))

  // Seen to fail without the end of the lifeline.
  test("is free when whoever asked for it is gone", () =>
    Effect.gen(function* () {
      const { attachCopy, directory, shells } = yield* setUp
      yield* attachCopy
      yield* Scope.close(shells, Exit.void)
      assert.isTrue(yield* areAttached(directory, []))
    }))

  // Seen to fail without another try.
  test("outlives its shell, and another shell makes the next one", () =>
    Effect.gen(function* () {
      const { attachCopy, directory } = yield* setUp
      const before = yield* Scope.make()
      const first = yield* Scope.extend(attachCopy, before)
      process.kill(shellOf(directory), "SIGKILL")
      const second = yield* attachCopy
      assert.isTrue(yield* areAttached(directory, [first, second]))
      yield* Scope.close(before, Exit.void)
      assert.isTrue(yield* areAttached(directory, [second]))
    }))
})
