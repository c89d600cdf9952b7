/**
 * A program on this host as a resource: in a process group of its own, killed with all it started when the scope closes.
 */
import { Deferred, Effect, Fiber, Schema, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { constants } from "node:os"
import type { Readable, Writable } from "node:stream"
import type { Command } from "../services/Sandbox.ts"
import { inDirectory } from "./commandWords.ts"
import { killMarked, markVariable, signal } from "./stragglers.ts"

export interface HostProcess {
  readonly stdin: Writable
  readonly stdout: Readable
  /** Empty when standard error was merged into standard output. */
  readonly stderr: Readable
  /** The exit code, 128 + n after signal n, once the program has ended, its output with it, and what it left behind. */
  readonly ended: Effect.Effect<number>
}

export interface HostProgram {
  readonly argv: Command["argv"]
  /** A directory that exists, and the one to start in, which may not. */
  readonly root: string
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly mark: string
  /** Standard error goes where standard output goes, in the order in which it is written. */
  readonly merged: boolean
}

/** The operating system would not start the program. */
export class NotStarted extends Schema.TaggedError<NotStarted>()("NotStarted", {
  /** Name of an errno, as E2BIG. */
  code: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

const notStartedBecause = (error: unknown) =>
  error instanceof Error
    ? new NotStarted({ code: "code" in error ? String(error.code) : error.name, detail: error.message })
    : new NotStarted({ code: "unknown", detail: String(error) })

/** What a program left behind may go on writing for this long after its end. */
const drain = "50 millis"

/** A shell alone can join two outputs in one pipe. */
const merge = (argv: Command["argv"]): Command["argv"] => ["/bin/sh", "-c", 'exec 2>&1; exec "$@"', "sh", ...argv]

const exitCode = (code: number | null, name: NodeJS.Signals | null): number =>
  code ?? 128 + (name === null ? 0 : constants.signals[name])

const launch = ({ argv, cwd, env, mark, merged, root }: HostProgram) => {
  const [file, ...words] = merged ? merge(inDirectory(cwd, argv)) : inDirectory(cwd, argv)
  const child = spawn(file, words, {
    cwd: root,
    env: { ...env, [markVariable]: mark },
    detached: true,
    stdio: ["pipe", "pipe", "pipe"]
  })
  // A program may end without reading its input.
  child.stdin.on("error", () => {})
  return child
}

export const start = (program: HostProgram): Effect.Effect<HostProcess, NotStarted, Scope.Scope> =>
  Effect.gen(function* () {
    const exit = yield* Deferred.make<number>()
    const closed = yield* Deferred.make<void>()
    const started = yield* Deferred.make<void, NotStarted>()
    const child = yield* Effect.acquireRelease(
      Effect.try({
        try: () => {
          const child = launch(program)
          child.once("spawn", () => Deferred.unsafeDone(started, Effect.void))
          child.once("error", (error) => Deferred.unsafeDone(started, Effect.fail(notStartedBecause(error))))
          child.once("exit", (code, name) => Deferred.unsafeDone(exit, Effect.succeed(exitCode(code, name))))
          child.once("close", () => Deferred.unsafeDone(closed, Effect.void))
          return child
        },
        catch: notStartedBecause
      }),
      (child) => kill(child, program.mark, closed)
    )
    yield* Deferred.await(started)
    // In the background: what is left behind may hold the end of an output that somebody waits for.
    const ending = yield* Effect.gen(function* () {
      const code = yield* Deferred.await(exit)
      yield* Effect.timeoutOption(Deferred.await(closed), drain)
      yield* killGroup(child)
      if (!(yield* Deferred.isDone(closed))) {
        yield* killMarked(program.mark, child.pid)
        yield* Effect.timeoutOption(Deferred.await(closed), drain)
      }
      return code
    }).pipe(Effect.forkScoped)
    const ended = Fiber.join(ending)
    return { stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, ended }
  })

const killGroup = (child: ChildProcess) =>
  Effect.sync(() => {
    if (child.pid !== undefined) signal(-child.pid, "SIGKILL")
  })

const kill = (child: ReturnType<typeof launch>, mark: string, closed: Deferred.Deferred<void>) =>
  Effect.gen(function* () {
    if (child.pid === undefined) return
    yield* killGroup(child)
    if (!(yield* Deferred.isDone(closed))) yield* killMarked(mark, child.pid)
    child.stdin.destroy()
    child.stdout.destroy()
    child.stderr.destroy()
  })
