/**
 * Git as a child process of the server: a clean environment, bounded time and output, no descendant left behind.
 *
 * Not the platform's `Command`: that one hands on the server's whole environment, and has no descriptor for a secret.
 */
import { spawn } from "node:child_process"
import { type Readable, Writable } from "node:stream"
import * as NodeStream from "@effect/platform-node/NodeStream"
import { Data, Deferred, type Duration, Effect, Option, Redacted, type Scope, Stream } from "effect"
import type { ForkedCall, ForkedResult, ForkingShell } from "./forkingShell.ts"
import { type Rlimits, ulimits } from "./rlimits.ts"

/** Git was killed because its time was up or it wrote more than it may. */
export class GitStopped extends Data.TaggedError("GitStopped")<{ readonly reason: "timeout" | "output" }> {}

/** Git ended with another code than 0. */
export class GitFailed extends Data.TaggedError("GitFailed")<{ readonly exitCode: number; readonly stderr: string }> {}

export interface GitCall<E = never> {
  readonly args: ReadonlyArray<string>
  /** The bare repository; none for commands that need no repository. */
  readonly repository?: string
  readonly env?: Readonly<Record<string, string>>
  /** Given to git on its standard input, which is closed after it. */
  readonly input?: string | Uint8Array | Stream.Stream<Uint8Array, E>
  /** Git and its children can read this from descriptor 3, once; it stands in no argument, variable or file. */
  readonly secret?: Redacted.Redacted
  /** For `run` the time in all, for `stream` the time of each wait for the next bytes. */
  readonly timeout: Duration.DurationInput
  /** Bytes of standard output. */
  readonly outputLimit: number
  /** What happens at the limit: the call fails (the default), or git is stopped and `run` gives the first bytes. */
  readonly atLimit?: "fail" | "cut"
  /** Its output is short whatever the repository holds: it may be kept in a file, which makes `run` cheaper. A call with a secret is not. */
  readonly saysLittle?: boolean
  readonly rlimits?: Rlimits
}

export interface GitResult {
  /** 128 + n after signal n. */
  readonly exitCode: number
  readonly stdout: Buffer
  /** The first 16 kB. */
  readonly stderr: string
  /** True when git was stopped because standard output was longer than the limit. */
  readonly cut: boolean
}

export interface Git {
  /** Starts one that is talked to: its input stays open, and its time and output are whoever talks to it's to bound. */
  readonly open: (call: Pick<GitCall, "args" | "repository" | "rlimits">) => Effect.Effect<Running, never, Scope.Scope>
  /** Runs to the end; any exit code is a result. */
  readonly run: <E = never>(call: GitCall<E>) => Effect.Effect<GitResult, GitStopped | E>
  /** Standard output as it comes, with back-pressure. */
  readonly stream: (call: GitCall) => Stream.Stream<Uint8Array, GitStopped | GitFailed>
}

const stderrLimit = 16_384
const patience = "2 seconds"

/** A git that was started; it is stopped when its scope closes. */
export interface Running {
  readonly pid: number | undefined
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: () => string
  /** Done with the exit code once git has ended and its output is complete. */
  readonly ended: Deferred.Deferred<number>
}

export const makeGit = (environment: Readonly<Record<string, string>>, forked: ForkingShell): Git => {
  const start = (call: Launched): Effect.Effect<Running, never, Scope.Scope> =>
    Effect.acquireRelease(launch(environment, call), stop)

  const spawned = <E>(call: GitCall<E>): Effect.Effect<GitResult, GitStopped | E> =>
    Effect.gen(function* () {
      const running = yield* start(call)
      const full = yield* Deferred.make<void>()
      const stdout = keepStart(running.stdout, call.outputLimit, () => Deferred.unsafeDone(full, Effect.void))
      const exitCode = yield* Effect.raceFirst(
        Deferred.await(running.ended),
        Effect.raceFirst(
          Effect.zipRight(feed(running.stdin, call.input), Effect.never),
          Effect.as(Deferred.await(full), 0)
        )
      )
      const cut = yield* Deferred.isDone(full)
      if (cut && call.atLimit !== "cut") return yield* new GitStopped({ reason: "output" })
      return { exitCode, stdout: stdout(), stderr: running.stderr(), cut }
    }).pipe(Effect.scoped)

  const run = <E = never>(call: GitCall<E>): Effect.Effect<GitResult, GitStopped | E> => {
    const small = isSmall(call) ? toForked(call) : undefined
    const running =
      small === undefined
        ? spawned(call)
        : Effect.flatMap(
            forked(small),
            Option.match({ onNone: () => spawned(call), onSome: (done) => fromForked(call, done) })
          )
    // The losers of its races must end, and a time limit must hold, also where the caller may not be interrupted.
    return Effect.timeoutFail(Effect.interruptible(running), {
      duration: call.timeout,
      onTimeout: () => new GitStopped({ reason: "timeout" })
    })
  }

  const stream = (call: GitCall): Stream.Stream<Uint8Array, GitStopped | GitFailed> =>
    Stream.unwrapScoped(
      Effect.gen(function* () {
        const running = yield* start(call)
        yield* Effect.forkScoped(feed(running.stdin, call.input))
        const output = NodeStream.fromReadable<GitStopped, Uint8Array>(
          () => running.stdout,
          () => new GitStopped({ reason: "output" })
        )
        const verdict = Effect.flatMap(Deferred.await(running.ended), (exitCode) =>
          exitCode === 0 ? Effect.void : new GitFailed({ exitCode, stderr: running.stderr() })
        )
        return output.pipe(
          Stream.timeoutFail(() => new GitStopped({ reason: "timeout" }), call.timeout),
          Stream.mapAccumEffect(0, (before, chunk) => {
            const bytes = before + chunk.length
            return bytes > call.outputLimit
              ? new GitStopped({ reason: "output" })
              : Effect.succeed([bytes, chunk] as const)
          }),
          Stream.concat(Stream.execute(verdict))
        )
      })
    )

  return { open: start, run, stream }
}

type SmallCall = GitCall & { readonly input?: string | Uint8Array }

const isSmall = (call: GitCall<unknown>): call is SmallCall =>
  call.saysLittle === true &&
  call.secret === undefined &&
  (typeof call.input !== "object" || call.input instanceof Uint8Array)

const toForked = (call: SmallCall): ForkedCall => ({
  program: "git",
  args: call.args,
  env: { ...call.env, GIT_DIR: call.repository ?? "/nonexistent" },
  input: call.input,
  outputLimit: call.outputLimit,
  complaintLimit: stderrLimit,
  rlimits: call.rlimits ?? {}
})

const fromForked = (
  { atLimit }: GitCall<unknown>,
  { exitCode, longer, stderr, stdout }: ForkedResult
): Effect.Effect<GitResult, GitStopped> =>
  longer && atLimit !== "cut"
    ? new GitStopped({ reason: "output" })
    : Effect.succeed({ exitCode: longer ? 0 : exitCode, stdout, stderr, cut: longer })

const commandLine = ({ args, rlimits, secret }: Launched): readonly [string, ReadonlyArray<string>] =>
  rlimits === undefined && secret === undefined
    ? ["git", args]
    : ["sh", ["-c", `${ulimits(rlimits ?? {})}; exec git "$@"`, "sh", ...args]]

const signals: Readonly<Record<string, number>> = { SIGKILL: 9, SIGPIPE: 13, SIGTERM: 15, SIGXFSZ: 25 }

type Launched = Pick<GitCall, "args" | "env" | "repository" | "rlimits" | "secret">

const launch = (environment: Readonly<Record<string, string>>, call: Launched) =>
  Effect.flatMap(Deferred.make<number>(), (ended) =>
    Effect.sync((): Running => {
      const [command, args] = commandLine(call)
      const child = spawn(command, args, {
        cwd: "/",
        // Git looks for a repository wherever it stands, unless it is told one.
        env: { ...environment, ...call.env, GIT_DIR: call.repository ?? "/nonexistent" },
        detached: true,
        stdio: ["pipe", "pipe", "pipe", call.secret === undefined ? "ignore" : "pipe"]
      })
      child.once("error", (cause) => Deferred.unsafeDone(ended, Effect.die(cause)))
      child.once("close", (code, signal) => {
        Deferred.unsafeDone(ended, Effect.succeed(code ?? 128 + (signals[signal ?? ""] ?? 0)))
      })
      const { stderr, stdin, stdout } = child
      if (!stdin || !stdout || !stderr) throw new Error("git could not be started: no more files can be opened")
      // A program that ends without reading is no failure of its own: its exit code says what happened.
      stdin.on("error", () => {})
      const secret = child.stdio[3]
      if (call.secret !== undefined && secret instanceof Writable) {
        secret.on("error", () => {})
        // Closed at once: git counts as ended when every descriptor that it shares with us is closed.
        secret.end(Redacted.value(call.secret), () => secret.destroy())
      }
      const complaint = keepStart(stderr, stderrLimit)
      return { pid: child.pid, stdin, stdout, stderr: () => complaint().toString("utf8"), ended }
    })
  )

const signalGroup = (pid: number, signal: NodeJS.Signals) => Effect.ignore(Effect.try(() => process.kill(-pid, signal)))

/** Asks first: git removes its lock and temporary files when it may. */
const stop = ({ ended, pid, stdout }: Running) =>
  Effect.gen(function* () {
    if (pid === undefined || (yield* Deferred.isDone(ended))) return
    // Output that nobody reads any more would keep the process from counting as ended.
    stdout.destroy()
    const gone = Deferred.await(ended).pipe(Effect.ignore, Effect.interruptible, Effect.timeoutOption(patience))
    yield* signalGroup(pid, "SIGTERM")
    yield* gone
    yield* signalGroup(pid, "SIGKILL")
    yield* gone
  })

/** Collects the first bytes of what is read, and says so when there are more. */
const keepStart = (readable: Readable, limit: number, onFull = () => {}) => {
  const chunks: Array<Buffer> = []
  let bytes = 0
  readable.on("data", (chunk: Buffer) => {
    if (bytes < limit) chunks.push(chunk.subarray(0, limit - bytes))
    bytes += chunk.length
    if (bytes > limit) onFull()
  })
  return () => Buffer.concat(chunks)
}

const feed = <E>(stdin: Writable, input: GitCall<E>["input"]): Effect.Effect<void, E> => {
  if (input === undefined || typeof input === "string" || input instanceof Uint8Array) {
    return Effect.sync(() => stdin.end(input))
  }
  const write = (chunk: Uint8Array) =>
    Effect.async<void>((resume) => {
      if (stdin.write(chunk)) return resume(Effect.void)
      stdin.once("drain", () => resume(Effect.void))
    })
  return Effect.zipRight(
    Stream.runForEach(input, write),
    Effect.sync(() => stdin.end())
  )
}
