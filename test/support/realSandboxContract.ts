/** What every sandbox must do besides in which real programs run. They need sh, bash, ps and the core utilities. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, type Layer, Ref, Scope, Stream } from "effect"
import type { Sandbox, SandboxHandle } from "../../src/services/Sandbox.ts"
import {
  bytesOf,
  collect,
  eventually,
  failureOf,
  inPieces,
  noise,
  openSandbox,
  sh,
  testIn,
  textOf,
  timed,
  wholeFile
} from "./sandboxContract.ts"

let naps = 0
/** Seconds that no other `sleep` on this machine sleeps: they name the processes of one test. */
export const someNap = () => 1_000_000 + (process.pid % 100_000) * 1_000 + ++naps

/** How many processes sleep so long, in this sandbox. */
export const sleepers = (handle: SandboxHandle, nap: number) =>
  Effect.map(handle.run(sh(`ps -eo args= | grep -c "^sleep ${nap}"`)), ({ output }) => Number(output))

/** Ways to survive a kill that is meant for one process. `NAP` stands for a number of seconds. */
const trees = {
  "a program": "sleep NAP",
  "one that ignores signals": "trap '' TERM INT HUP; sleep NAP; sleep NAP",
  "a pipeline": "sleep NAP | sleep NAP | cat",
  "one without terminal signals": "nohup sleep NAP >/dev/null 2>&1 & sleep NAP",
  "another session": "setsid sleep NAP & sleep NAP",
  "an orphan in another session": "(setsid sh -c 'sleep NAP & sleep NAP' &) ; sleep NAP",
  "one with an empty environment": "env -i sleep NAP & sleep NAP"
}

export const realSandboxContract = <E>(name: string, layer: Layer.Layer<Sandbox, E>) => {
  const test = testIn(layer)

  describe(`${name}: processes`, () => {
    for (const [kind, script] of Object.entries(trees)) {
      test(`of a command end when it is interrupted: ${kind}`, (handle) =>
        Effect.gen(function* () {
          const nap = someNap()
          const running = yield* Effect.fork(handle.run(sh(script.replaceAll("NAP", String(nap)))))
          assert.isTrue(yield* eventually(Effect.map(sleepers(handle, nap), (count) => count > 0)))
          const [ms] = yield* timed(Fiber.interrupt(running))
          assert.isBelow(ms, 3_000)
          assert.strictEqual(yield* sleepers(handle, nap), 0)
        }))
    }

    test("of a command end when its time is up", (handle) =>
      Effect.gen(function* () {
        const nap = someNap()
        const script = `setsid sleep ${nap} & trap '' TERM; sleep ${nap}; sleep ${nap}`
        assert.strictEqual((yield* handle.run(sh(script, { timeoutMs: 300 }))).exitCode, 124)
        assert.strictEqual(yield* sleepers(handle, nap), 0)
      }))

    test("that a command leaves behind end with it, and don't hold up its result", (handle) =>
      Effect.gen(function* () {
        const nap = someNap()
        for (const script of [`sleep ${nap} & echo hi`, `sleep ${nap} >/dev/null 2>&1 & echo hi`]) {
          const [ms, { exitCode, output }] = yield* timed(handle.run(sh(script)))
          assert.deepStrictEqual([exitCode, output], [0, "hi\n"])
          assert.isBelow(ms, 1_000)
          assert.strictEqual(yield* sleepers(handle, nap), 0)
        }
      }))

    test("that only finish writing may do so", (handle) =>
      Effect.gen(function* () {
        const { output } = yield* handle.run({ ...sh(""), argv: ["bash", "-c", "exec > >(cat; echo end); echo begin"] })
        assert.strictEqual(output, "begin\nend\n")
      }))

    test("of other commands are left alone", (handle) =>
      Effect.gen(function* () {
        const nap = someNap()
        const bystander = yield* Effect.fork(handle.run(sh(`sleep ${nap} & sleep ${nap}`)))
        assert.isTrue(yield* eventually(Effect.map(sleepers(handle, nap), (count) => count === 2)))
        const running = yield* Effect.fork(handle.run(sh(`setsid sleep 600 & sleep 600`)))
        yield* handle.run(sh("setsid sleep 600 & echo hi"))
        yield* Fiber.interrupt(running)
        assert.strictEqual(yield* sleepers(handle, nap), 2)
        yield* Fiber.interrupt(bystander)
        assert.strictEqual(yield* sleepers(handle, nap), 0)
      }))

    test("that signals end have their codes", (handle) =>
      Effect.gen(function* () {
        const codes = yield* Effect.forEach(["TERM", "KILL", "SEGV", "PIPE"], (signal) =>
          Effect.map(handle.run(sh(`kill -${signal} $$; sleep 5`)), ({ exitCode }) => exitCode)
        )
        assert.deepStrictEqual(codes, [143, 137, 139, 141])
      }))

    test("that can't be started say why", (handle) =>
      Effect.gen(function* () {
        yield* handle.writeFile("plain", bytesOf("text"))
        assert.strictEqual((yield* handle.run({ ...sh(""), argv: ["./plain"] })).exitCode, 126)
        const nowhere = yield* handle.run(sh("true", { cwd: "nowhere" }))
        assert.strictEqual(nowhere.exitCode, 126)
        assert.include(nowhere.output, "nowhere")
        const long = yield* handle.run({ ...sh(""), argv: ["echo", "x".repeat(200_000)] })
        assert.strictEqual(long.exitCode, 126)
        assert.match(long.output, /too long/i)
      }))

    test("see nothing of the server's environment", (handle) =>
      Effect.gen(function* () {
        const { output } = yield* handle.run(sh("env"))
        assert.notMatch(output, /VITEST|NODE_|ANTHROPIC/)
        assert.match(output, /^HOME=/m)
      }))

    test("get input as fast as they read it, and may refuse it", (handle) =>
      Effect.gen(function* () {
        const slow = yield* handle.run(sh("sleep 0.3; wc -c", { stdin: noise(3_000_000) }))
        assert.strictEqual(Number(slow.output), 3_000_000)
        const deaf = yield* handle.run(sh("exec <&-; sleep 0.2; echo done", { stdin: noise(3_000_000) }))
        assert.strictEqual(deaf.output, "done\n")
        assert.strictEqual((yield* handle.run(sh("cat"))).output, "")
      }))
  })

  describe(`${name}: pipes of real programs`, () => {
    test("carry much both ways, however slowly it is taken", (handle) =>
      Effect.gen(function* () {
        const content = noise(20_000_000)
        const taken = yield* Ref.make(0)
        const back = yield* collect(
          handle.pipe(["cat"], inPieces(content, 300_001)).pipe(
            Stream.tap((piece) =>
              Effect.flatMap(
                Ref.getAndUpdate(taken, (before) => before + piece.length),
                (before) => (before % 2_000_000 < piece.length ? Effect.sleep("30 millis") : Effect.void)
              )
            )
          )
        )
        assert.isTrue(Buffer.from(content).equals(back))
      }))

    test("hold a program back that nobody listens to", (handle) =>
      Effect.gen(function* () {
        const script = "yes | tee >(wc -c > count) | cat"
        const argv = ["bash", "-c", `trap 'true' PIPE; { ${script}; }`] as const
        const before = process.memoryUsage().rss
        const looking = Stream.runForEach(Stream.take(handle.pipe(argv, Stream.empty), 3), () =>
          Effect.sleep("500 millis")
        )
        const [ms] = yield* timed(looking)
        assert.isBelow(ms, 2_500)
        assert.isBelow(process.memoryUsage().rss - before, 50 * 2 ** 20)
      }))

    test("end with the program, whoever else holds their ends", (handle) =>
      Effect.gen(function* () {
        const nap = someNap()
        const [ms, output] = yield* timed(
          collect(handle.pipe(["sh", "-c", `sleep ${nap} & head -c 500000 /dev/zero; echo end`], Stream.empty))
        )
        assert.strictEqual(output.length, 500_004)
        assert.isBelow(ms, 2_000)
        assert.strictEqual(yield* sleepers(handle, nap), 0)
      }))

    test("end when the program wants no more", (handle) =>
      Effect.gen(function* () {
        const endless = Stream.repeatValue(noise(100_000))
        assert.strictEqual(
          textOf(yield* collect(handle.pipe(["sh", "-c", "head -c 3 >/dev/null; echo enough"], endless))),
          "enough\n"
        )
      }))

    test("kill their program when they are left", (handle) =>
      Effect.gen(function* () {
        const nap = someNap()
        const script = `echo begin; setsid sleep ${nap} & sleep ${nap}`
        yield* Stream.runDrain(Stream.take(handle.pipe(["sh", "-c", script], Stream.empty), 1))
        assert.strictEqual(yield* sleepers(handle, nap), 0)
      }))
  })

  describe(`${name}: files of real programs`, () => {
    test("keep their mode, and new ones are plain", (handle) =>
      Effect.gen(function* () {
        yield* handle.writeFile("script", bytesOf("#!/bin/sh\necho one\n"))
        yield* handle.run(sh("chmod 755 script"))
        yield* handle.writeFile("script", bytesOf("#!/bin/sh\necho two\n"))
        assert.strictEqual((yield* handle.run(sh("./script; stat -c %a script"))).output, "two\n755\n")
        yield* handle.writeFile("new", bytesOf(""))
        assert.strictEqual((yield* handle.run(sh("stat -c %a new; ls -A"))).output, "644\nnew\nscript\n")
      }))

    test("are found behind links, and nothing else is read", (handle) =>
      Effect.gen(function* () {
        yield* handle.run(
          sh("mkdir real; echo text > real/file; ln -s real/file link; ln -s real dir; mkfifo pipe; ln -s loop loop")
        )
        assert.strictEqual(textOf((yield* handle.readFile("link", wholeFile)).bytes), "text\n")
        yield* handle.writeFile("link", bytesOf("by link"))
        yield* handle.writeFile("dir/more", bytesOf("more"))
        assert.strictEqual(
          (yield* handle.run(sh("cat real/file real/more; test -L link && echo link"))).output,
          "by linkmorelink\n"
        )
        for (const path of ["pipe", "dir"]) {
          assert.deepInclude(yield* failureOf(handle.readFile(path, wholeFile)), { reason: "not_a_file" })
          assert.deepInclude(yield* failureOf(handle.writeFile(path, bytesOf(""))), { reason: "not_a_file" })
        }
        assert.deepInclude(yield* failureOf(handle.readFile("loop", wholeFile)), { reason: "denied" })
      }))

    test("are never seen half", (handle) =>
      Effect.gen(function* () {
        yield* handle.writeFile("file", new Uint8Array(1_000_000).fill(48))
        const watching = yield* Effect.fork(
          handle.run(sh("i=0; while [ $i -lt 60 ]; do head -c 1000000 file | wc -c; i=$((i+1)); done | sort | uniq"))
        )
        yield* Effect.forEach([49, 50, 51, 52, 53], (digit) =>
          Effect.delay(handle.writeFile("file", new Uint8Array(1_000_000).fill(digit)), "20 millis")
        )
        assert.strictEqual((yield* Fiber.join(watching)).output.trim(), "1000000")
        assert.strictEqual((yield* handle.run(sh("ls -A"))).output, "file\n")
      }))
  })

  describe(`${name}: the end`, () => {
    it.scopedLive("of the scope ends what still runs", () =>
      Effect.gen(function* () {
        const nap = someNap()
        const scope = yield* Scope.make()
        const handle = yield* Scope.extend(openSandbox, scope)
        const witness = yield* openSandbox
        const running = yield* Effect.fork(handle.run(sh(`setsid sleep ${nap} & sleep ${nap}`)))
        assert.isTrue(yield* eventually(Effect.map(sleepers(handle, nap), (count) => count === 2)))
        yield* Scope.close(scope, Exit.void)
        yield* Effect.timeout(Fiber.await(running), "3 seconds")
        assert.strictEqual(yield* sleepers(witness, nap), 0)
      }).pipe(Effect.provide(layer))
    )
  })
}
