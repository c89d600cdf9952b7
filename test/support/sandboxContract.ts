/** What every sandbox must do, whatever it is made of. */
import { assert, describe, it } from "@effect/vitest"
import { Chunk, Clock, Deferred, Effect, Exit, Fiber, type Layer, Option, Schedule, Scope, Stream } from "effect"
import { TaskId } from "../../src/services/Ids.ts"
import {
  type Command,
  type PipeFailed,
  Sandbox,
  type SandboxFileError,
  type SandboxHandle,
  type SandboxLost,
  type SandboxSpec,
  type SandboxUnavailable
} from "../../src/services/Sandbox.ts"

export const spec: SandboxSpec = {
  taskId: TaskId.make("task_01J00000000000000000000000"),
  run: 1,
  network: { mode: "none", hosts: [] }
}

/** The words of the shell in the contract: a scripted sandbox has to know the answers. */
export const scripts = {
  both: "echo out; echo err >&2; echo out again; exit 3",
  where: "pwd",
  greet: 'printf "%s" "$GREETING"',
  count: "wc -c",
  flood: "yes 012345678 | head -c 1000000",
  pieces: "printf one; sleep 0.3; printf two",
  chatty: "for n in 1 2 3 4 5; do printf .; sleep 0.2; done",
  forever: "echo started; sleep 600",
  invalid: String.raw`printf 'a\377b'`,
  slow: "sleep 0.5; echo done",
  refuse: "echo no good >&2; exit 7",
  deaf: "exit 0"
} as const

export const sh = (script: string, changes: Partial<Command> = {}): Command => ({
  argv: ["sh", "-c", script],
  timeoutMs: 20_000,
  outputLimit: 100_000,
  ...changes
})

export const bytesOf = (text: string) => new TextEncoder().encode(text)
export const textOf = (content: Uint8Array) => new TextDecoder().decode(content)

/** Bytes that no encoding leaves alone. */
export const noise = (length: number): Uint8Array => {
  const made = new Uint8Array(length)
  for (let index = 0, state = 1; index < length; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    made[index] = state >>> 16
  }
  return made
}

export const inPieces = (content: Uint8Array, size: number): Stream.Stream<Uint8Array> =>
  Stream.unfold(0, (at) =>
    at < content.length ? Option.some([content.subarray(at, at + size), at + size] as const) : Option.none()
  )

export const collect = <E>(stream: Stream.Stream<Uint8Array, E>): Effect.Effect<Uint8Array, E> =>
  Effect.map(Stream.runCollect(stream), (chunks) => Buffer.concat(Chunk.toReadonlyArray(chunks)))

export const wholeFile = { offset: 0, limit: 1_000_000 }

export const openSandbox = Effect.flatMap(Sandbox, (sandbox) => sandbox.open(spec))

export type SandboxTest = (
  handle: SandboxHandle
) => Effect.Effect<void, SandboxLost | SandboxFileError | SandboxUnavailable | PipeFailed, Scope.Scope | Sandbox>

/** A test in a sandbox of its own. */
export const testIn =
  <E>(layer: Layer.Layer<Sandbox, E>) =>
  (name: string, test: SandboxTest) =>
    it.scopedLive(name, () => openSandbox.pipe(Effect.flatMap(test), Effect.provide(layer)))

/** True as soon as `condition` holds; false when it still does not after three seconds. */
export const eventually = <E, R>(condition: Effect.Effect<boolean, E, R>) =>
  Effect.repeat(condition, {
    until: (holds) => holds,
    schedule: Schedule.spaced("20 millis").pipe(Schedule.intersect(Schedule.recurs(150)))
  }).pipe(Effect.zipRight(condition))

/** An effect's milliseconds and its result. */
export const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const began = yield* Clock.currentTimeMillis
    const value = yield* effect
    return [(yield* Clock.currentTimeMillis) - began, value] as const
  })

/** A server inside is reached under this name. */
export const talksToItself = (handle: SandboxHandle, name: string) =>
  Effect.map(
    handle.run(
      sh(
        `python3 -c '
import socket
server = socket.create_server(("${name}", 0))
client = socket.create_connection(("${name}", server.getsockname()[1]))
server.accept()[0].sendall(b"heard")
print(client.recv(5).decode())'`
      )
    ),
    ({ output }) => assert.strictEqual(output, "heard\n")
  )

/** The failure of an effect that must not succeed. */
export const failureOf = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<E, never, R> =>
  Effect.matchEffect(effect, {
    onFailure: Effect.succeed,
    onSuccess: (value) => Effect.dieMessage(`It succeeded: ${JSON.stringify(value)}`)
  })

export const sandboxContract = <E>(name: string, layer: Layer.Layer<Sandbox, E>) => {
  const test = testIn(layer)

  describe(`${name}: commands`, () => {
    test("gives the exit code, and both outputs as they come", (handle) =>
      Effect.gen(function* () {
        const result = yield* handle.run(sh(scripts.both))
        assert.deepInclude(result, { exitCode: 3, timedOut: false, output: "out\nerr\nout again\n", bytes: 18 })
      }))

    test("starts in the root, or where it is told to", (handle) =>
      Effect.gen(function* () {
        yield* handle.writeFile("deep/down/file", bytesOf(""))
        const places = yield* Effect.forEach([undefined, "deep/down", `${handle.root}/deep`], (cwd) =>
          handle.run(sh(scripts.where, cwd === undefined ? {} : { cwd }))
        )
        assert.deepStrictEqual(
          places.map(({ output }) => output.trim()),
          [handle.root, `${handle.root}/deep/down`, `${handle.root}/deep`]
        )
      }))

    test("has the variables and the input that it is given", (handle) =>
      Effect.gen(function* () {
        const greeted = yield* handle.run(sh(scripts.greet, { env: { GREETING: "good\nday ü" } }))
        assert.strictEqual(greeted.output, "good\nday ü")
        for (const length of [0, 1, 3_000_000]) {
          const counted = yield* handle.run(sh(scripts.count, { stdin: noise(length) }))
          assert.strictEqual(Number(counted.output), length)
        }
      }))

    test("keeps the start and the end of a long output, and counts all of it", (handle) =>
      Effect.gen(function* () {
        const { bytes, output } = yield* handle.run(sh(scripts.flood, { outputLimit: 1_000 }))
        assert.strictEqual(bytes, 1_000_000)
        assert.strictEqual(
          output,
          `${"012345678\n".repeat(50)}\n[… 999000 bytes left out …]\n${"012345678\n".repeat(50)}`
        )
        const whole = yield* handle.run(sh(scripts.flood, { outputLimit: 2_000_000 }))
        assert.strictEqual(whole.output, "012345678\n".repeat(100_000))
      }))

    test("replaces what is not UTF-8", (handle) =>
      Effect.gen(function* () {
        const { bytes, output } = yield* handle.run(sh(scripts.invalid))
        assert.deepStrictEqual([bytes, output], [3, "a\u{fffd}b"])
      }))

    test("shows output while it comes", (handle) =>
      Effect.gen(function* () {
        let seen = ""
        const first = yield* Deferred.make<void>()
        const running = yield* Effect.fork(
          handle.run(sh(scripts.pieces), (chunk) => {
            seen += textOf(chunk)
            Deferred.unsafeDone(first, Effect.void)
          })
        )
        yield* Deferred.await(first)
        assert.strictEqual(seen, "one")
        assert.strictEqual((yield* Fiber.join(running)).output, "onetwo")
        assert.include(["one", "onetwo"], seen)
      }))

    test("gives all of much output", (handle) =>
      Effect.gen(function* () {
        let seen = 0
        const { bytes } = yield* handle.run(sh(scripts.flood), (chunk) => {
          seen += chunk.length
        })
        assert.strictEqual(bytes, 1_000_000)
        assert.isAbove(seen, 0)
      }))

    test("ends when its time is up, with what it had to say until then", (handle) =>
      Effect.gen(function* () {
        const [ms, result] = yield* timed(handle.run(sh(scripts.forever, { timeoutMs: 300 })))
        assert.deepInclude(result, { exitCode: 124, timedOut: true, silent: false, output: "started\n" })
        assert.isAtLeast(result.durationMs, 290)
        assert.isBelow(ms, 3_000)
      }))

    test("ends when it has been silent for too long, with what it had to say until then", (handle) =>
      Effect.gen(function* () {
        const [ms, result] = yield* timed(handle.run(sh(scripts.forever, { silenceMs: 300 })))
        assert.deepInclude(result, { exitCode: 124, timedOut: false, silent: true, output: "started\n" })
        assert.isAtLeast(result.durationMs, 290)
        assert.isBelow(ms, 3_000)
      }))

    test("may take its time as long as it is heard, or while silence has no limit", (handle) =>
      Effect.gen(function* () {
        const heard = yield* handle.run(sh(scripts.chatty, { silenceMs: 400 }))
        assert.deepInclude(heard, { exitCode: 0, silent: false, output: ".....", bytes: 5 })
        assert.isAtLeast(heard.durationMs, 900)
        assert.deepInclude(yield* handle.run(sh(scripts.slow)), { exitCode: 0, silent: false, output: "done\n" })
      }))

    test("ends when it is interrupted", (handle) =>
      Effect.gen(function* () {
        const started = yield* Deferred.make<void>()
        const running = yield* Effect.fork(
          handle.run(sh(scripts.forever), () => Deferred.unsafeDone(started, Effect.void))
        )
        yield* Deferred.await(started)
        const [ms, exit] = yield* timed(Fiber.interrupt(running))
        assert.isTrue(Exit.isInterrupted(exit))
        assert.isBelow(ms, 2_000)
        assert.strictEqual((yield* handle.run(sh(scripts.both))).exitCode, 3)
      }))

    test("runs beside others", (handle) =>
      Effect.gen(function* () {
        const [ms, results] = yield* timed(
          Effect.all(Effect.replicate(handle.run(sh(scripts.slow)), 8), { concurrency: "unbounded" })
        )
        assert.deepStrictEqual(
          results.map(({ output }) => output),
          Array.from({ length: 8 }, () => "done\n")
        )
        assert.isBelow(ms, 3_000)
      }))

    test("that can't be started says so", (handle) =>
      Effect.gen(function* () {
        const unknown = yield* handle.run({
          ...sh(""),
          argv: ["no-such-program", "x"],
          // A search path of this user's own: where a folder in it can't be searched, the answer is 126.
          env: { PATH: "/usr/bin:/bin" }
        })
        assert.strictEqual(unknown.exitCode, 127)
        assert.include(unknown.output, "no-such-program")
        assert.strictEqual(unknown.bytes, Buffer.byteLength(unknown.output))
        const impossible: ReadonlyArray<Partial<Command>> = [
          { argv: ["echo", "a\0b"] },
          { cwd: "a\0b" },
          { env: { A: "a\0b" } },
          { env: { "A=B": "" } },
          { env: { "": "" } }
        ]
        for (const changes of impossible) {
          const refused = yield* handle.run(sh(scripts.both, changes))
          assert.strictEqual(refused.exitCode, 126)
          assert.notStrictEqual(refused.output, "")
        }
      }))
  })

  describe(`${name}: pipes`, () => {
    test("carry bytes both ways unchanged", (handle) =>
      Effect.gen(function* () {
        const content = noise(5_000_000)
        const back = yield* collect(handle.pipe(["cat"], inPieces(content, 77_777)))
        assert.isTrue(Buffer.from(content).equals(back))
        assert.strictEqual((yield* collect(handle.pipe(["cat"], Stream.empty))).length, 0)
      }))

    test("fail with the exit code and what the program complained of", (handle) =>
      Effect.gen(function* () {
        const failed = yield* failureOf(collect(handle.pipe(["sh", "-c", scripts.refuse], Stream.empty)))
        assert.deepInclude(failed, { _tag: "PipeFailed", exitCode: 7, stderr: "no good\n" })
      }))

    test("fail as their input fails", (handle) =>
      Effect.gen(function* () {
        const input = Stream.concat(Stream.make(bytesOf("some")), Stream.fail("torn" as const))
        assert.strictEqual(yield* failureOf(collect(handle.pipe(["cat"], input))), "torn")
      }))

    test("can be left in the middle", (handle) =>
      Effect.gen(function* () {
        const content = noise(3_000_000)
        const start = yield* collect(Stream.take(handle.pipe(["cat"], inPieces(content, 100_000)), 1))
        assert.isTrue(start.length > 0 && Buffer.from(content.subarray(0, start.length)).equals(start))
        assert.strictEqual((yield* handle.run(sh(scripts.both))).exitCode, 3)
      }))
  })

  describe(`${name}: files`, () => {
    test("are read as they were written, whole or in part", (handle) =>
      Effect.gen(function* () {
        const content = noise(2_500_000)
        yield* handle.writeFile("new/directories/ü file", content)
        const read = yield* handle.readFile(`${handle.root}/new/directories/ü file`, { offset: 0, limit: 9_000_000 })
        assert.strictEqual(read.size, content.length)
        assert.isTrue(Buffer.from(content).equals(read.bytes))
        const part = yield* handle.readFile("new/directories/ü file", { offset: 2_499_990, limit: 100 })
        assert.deepStrictEqual([...part.bytes], [...content.subarray(2_499_990)])
        assert.strictEqual(part.size, content.length)
        const none = yield* handle.readFile("new/directories/ü file", { offset: 3_000_000, limit: 100 })
        assert.strictEqual(none.bytes.length, 0)
      }))

    test("are replaced whole", (handle) =>
      Effect.gen(function* () {
        yield* handle.writeFile("file", noise(1_000))
        yield* handle.writeFile("file", bytesOf("short"))
        assert.strictEqual(textOf((yield* handle.readFile("file", wholeFile)).bytes), "short")
        yield* handle.writeFile("file", new Uint8Array(0))
        assert.strictEqual((yield* handle.readFile("file", wholeFile)).size, 0)
      }))

    test("that can't be had are refused with the reason", (handle) =>
      Effect.gen(function* () {
        yield* handle.writeFile("directory/file", bytesOf("content"))
        const reasons = yield* Effect.forEach(
          [
            handle.readFile("missing", wholeFile),
            handle.readFile("directory", wholeFile),
            handle.readFile("directory/file/below", wholeFile),
            handle.readFile("nul\0", wholeFile),
            handle.writeFile("directory", bytesOf("")),
            handle.writeFile("directory/file/below", bytesOf("")),
            handle.writeFile("nul\0", bytesOf("")),
            handle.writeFile("huge", new Uint8Array(9 * 2 ** 20))
          ],
          (attempt) =>
            Effect.map(failureOf(attempt), (error) => (error._tag === "SandboxFileError" ? error.reason : ""))
        )
        assert.deepStrictEqual(reasons, [
          "not_found",
          "not_a_file",
          "not_found",
          "not_found",
          "not_a_file",
          "not_found",
          "not_found",
          "too_large"
        ])
      }))
  })

  describe(`${name}: lifetime`, () => {
    test("is empty in the beginning, and knows nothing of other sandboxes", (handle) =>
      Effect.gen(function* () {
        yield* handle.writeFile("mine", bytesOf("mine"))
        const other = yield* openSandbox
        assert.strictEqual((yield* failureOf(other.readFile("mine", wholeFile)))._tag, "SandboxFileError")
      }))

    it.scopedLive("is gone when its scope has closed", () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const handle = yield* Scope.extend(openSandbox, scope)
        yield* handle.writeFile("file", bytesOf("content"))
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual((yield* failureOf(handle.run(sh(scripts.both))))._tag, "SandboxLost")
        assert.strictEqual((yield* failureOf(collect(handle.pipe(["cat"], Stream.empty))))._tag, "SandboxLost")
        yield* failureOf(handle.readFile("file", wholeFile))
        yield* failureOf(handle.writeFile("file", bytesOf("")))
        assert.strictEqual(yield* Effect.flatMap(Sandbox, ({ sweep }) => sweep), 0)
      }).pipe(Effect.provide(layer))
    )

    it.scopedLive("says that it is ready", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox
        const { detail, ready } = yield* sandbox.health
        assert.isTrue(ready, detail)
        assert.isNotEmpty(sandbox.networkModes)
      }).pipe(Effect.provide(layer))
    )
  })
}
