import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Option, type Scope } from "effect"
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type ForkedCall, type ForkingShell, makeForkingShell } from "../../../src/layers/git/forkingShell.ts"
import { eventually } from "../../support/sandboxContract.ts"

const environment = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", KEPT: "kept" }

const call = (program: string, args: ReadonlyArray<string>, more: Partial<ForkedCall> = {}): ForkedCall => ({
  program,
  args,
  env: {},
  input: undefined,
  outputLimit: 10_000,
  complaintLimit: 1_000,
  rlimits: { memory: Number.POSITIVE_INFINITY, file: Number.POSITIVE_INFINITY },
  ...more
})

const script = (text: string, more: Partial<ForkedCall> = {}) => call("sh", ["-c", text], more)

const parentDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "errand it's "))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const shellIn = (make: (directory: string) => void = () => {}) =>
  Effect.gen(function* () {
    const directory = join(yield* parentDirectory, "calls")
    make(directory)
    return { directory, shell: yield* makeForkingShell(environment, directory) }
  })

const runWith: Effect.Effect<ReturnType<typeof whole>, never, Scope.Scope> = Effect.map(shellIn(), ({ shell }) =>
  whole(shell)
)

const whole = (shell: ForkingShell) => (what: ForkedCall) => Effect.map(shell(what), Option.getOrThrow)

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe("the shell that starts programs", () => {
  it.scoped("gives exit code, output and complaint", () =>
    Effect.gen(function* () {
      const run = yield* runWith
      const { exitCode, longer, stderr, stdout } = yield* run(script("echo out; echo err >&2; exit 3"))
      assert.deepStrictEqual([exitCode, stdout.toString(), stderr, longer], [3, "out\n", "err\n", false])
      assert.strictEqual((yield* run(script("kill -9 $$"))).exitCode, 137)
      assert.strictEqual((yield* run(call("no-such-program", []))).exitCode, 127)
    })
  )

  it.scoped("hands every word on as it is", () =>
    Effect.gen(function* () {
      const run = yield* runWith
      const words = [
        "a b",
        "'",
        `"$HOME"`,
        "$(echo x)",
        "`echo y`",
        "\\",
        "line\nbreak",
        "",
        "-n",
        "å🦐",
        "*",
        ";",
        "'\n'"
      ]
      const { stdout } = yield* run(call("printf", ["%s\\0", ...words]))
      assert.deepStrictEqual(stdout.toString().split("\0").slice(0, -1), words)
      const { stdout: variables } = yield* run(
        script('printf "%s|%s" "$KEPT" "$GIVEN"', { env: { GIVEN: "it's $x\n" } })
      )
      assert.strictEqual(variables.toString(), "kept|it's $x\n")
    })
  )

  it.scoped("feeds bytes, and gives none where there are none", () =>
    Effect.gen(function* () {
      const run = yield* runWith
      const bytes = Uint8Array.from({ length: 5_000 }, (_, index) => index % 256)
      assert.deepStrictEqual([...(yield* run(script("cat", { input: bytes }))).stdout], [...bytes])
      assert.strictEqual((yield* run(script("cat"))).stdout.length, 0)
    })
  )

  it.scoped("reads no more than it may, and says that there was more", () =>
    Effect.gen(function* () {
      const run = yield* runWith
      const result = yield* run(
        script("yes | head -c 100000; yes >&2", { outputLimit: 10, rlimits: { memory: 2 ** 40, file: 200_000 } })
      )
      assert.deepStrictEqual([result.stdout.length, result.longer, result.stderr.length], [10, true, 1_000])
      assert.strictEqual(result.exitCode, 128 + 25)
    })
  )

  it.live("runs many at once, and forgets none", () =>
    Effect.gen(function* () {
      const run = yield* runWith
      const outputs = yield* Effect.all(
        Array.from({ length: 40 }, (_, index) =>
          Effect.map(run(script(`sleep 0.0${index % 7}; echo ${index}`)), ({ stdout }) => Number(stdout))
        ),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        outputs,
        Array.from({ length: 40 }, (_, index) => index)
      )
    }).pipe(Effect.scoped)
  )

  it.live("kills a program with what it started when it is interrupted", () =>
    Effect.gen(function* () {
      const run = yield* runWith
      const told = `/tmp/errand-forked-${process.pid}`
      const fiber = yield* Effect.fork(run(script(`sleep 60 & echo $! > ${told}; trap '' TERM; wait`)))
      yield* Effect.sleep("300 millis")
      const { stdout } = yield* run(script(`cat ${told}; rm ${told}`))
      assert.isTrue(isAlive(Number(stdout)))
      const [taken] = yield* Effect.timed(Fiber.interrupt(fiber))
      assert.isBelow(Duration.toMillis(taken), 4_000)
      yield* Effect.sleep("50 millis")
      assert.isFalse(isAlive(Number(stdout)))
    }).pipe(Effect.scoped)
  )

  it.live("kills a program that has only just begun at once", () =>
    Effect.gen(function* () {
      const run = yield* runWith
      for (let microseconds = 0; microseconds < 4_000; microseconds += 200) {
        const fiber = yield* Effect.fork(run(call("sleep", ["60"])))
        yield* Effect.sleep(Duration.micros(BigInt(microseconds)))
        const [taken] = yield* Effect.timed(Fiber.interrupt(fiber))
        assert.isBelow(Duration.toMillis(taken), 1_000)
      }
    }).pipe(Effect.scoped)
  )

  it.live("says that it ended, and is started again", () =>
    Effect.gen(function* () {
      const run = yield* runWith
      const waiting = yield* Effect.fork(run(script("sleep 60")))
      yield* Effect.sleep("200 millis")
      process.kill(Number((yield* run(script("ps -o ppid= -p $PPID"))).stdout), "SIGKILL")
      assert.isTrue(Exit.isFailure(yield* Fiber.await(waiting)))
      assert.strictEqual((yield* run(script("echo again"))).stdout.toString(), "again\n")
    }).pipe(Effect.scoped)
  )

  it.scoped("takes no command that is too long for it", () =>
    Effect.gen(function* () {
      const { shell } = yield* shellIn()
      assert.isTrue(Option.isNone(yield* shell(call("echo", ["x".repeat(20_000)]))))
    })
  )

  it.scoped("makes its directory again when somebody has tidied it away, and leaves nothing in it", () =>
    Effect.gen(function* () {
      const { directory, shell } = yield* shellIn((path) => {
        mkdirSync(path)
        writeFileSync(join(path, "7.out"), "of a former life")
      })
      const run = whole(shell)
      assert.strictEqual((yield* run(script("cat", { input: "a" }))).stdout.toString(), "a")
      assert.isTrue(yield* eventually(Effect.sync(() => readdirSync(directory).length === 0)))
      rmSync(directory, { recursive: true })
      assert.strictEqual((yield* run(script("cat", { input: "b" }))).stdout.toString(), "b")
      assert.strictEqual((yield* run(script("echo c"))).stdout.toString(), "c\n")
    })
  )

  it.scoped("gives nothing when its files can't be written, so that it is done in another way", () =>
    Effect.gen(function* () {
      const { directory, shell } = yield* shellIn()
      assert.isTrue(Option.isNone(yield* shell(call("rm", ["-r", directory]))))
      writeFileSync(directory, "no directory")
      assert.isTrue(Option.isNone(yield* shell(script("echo x"))))
      assert.isTrue(Option.isNone(yield* shell(script("cat", { input: "x" }))))
      rmSync(directory)
      assert.isTrue(Option.isNone(yield* shell(script("exec 2>/dev/full; echo fatal >&2; exit 128"))))
    })
  )
})
