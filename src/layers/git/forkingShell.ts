/**
 * A small shell that starts programs for the server. Starting one means to copy the page tables of whoever starts it: with
 * the server's own 200 MB that takes 7 ms in which nothing else happens (0.04 ms a MB, measured), with the shell's 1 MB
 * less than one.
 *
 * Input and output are files, since a shell can be handed no pipe. So this is for programs that say little.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, fstatSync, mkdirSync, openSync, readSync, rmSync, unlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { Deferred, Effect, FiberId, Option, type Scope } from "effect"
import { type Rlimits, ulimits } from "./rlimits.ts"

export interface ForkedCall {
  readonly program: string
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  readonly input: string | Uint8Array | undefined
  /** Bytes that are read of standard output; whether there were more shows in `longer`. */
  readonly outputLimit: number
  /** Bytes of standard error that are read. */
  readonly complaintLimit: number
  readonly rlimits: Rlimits
}

export interface ForkedResult {
  /** 128 + n after signal n. */
  readonly exitCode: number
  readonly stdout: Buffer
  readonly longer: boolean
  readonly stderr: string
}

/**
 * Runs a program to its end; interruption kills it with all that it started. None when that can't be done here, or can't
 * be told: the command is too long for a line of the shell, or the files of its input and output can't be written.
 */
export type ForkingShell = (call: ForkedCall) => Effect.Effect<Option.Option<ForkedResult>>

/** The shell reads its lines byte by byte. */
const longestLine = 16_384

/** Finished jobs are forgotten before the next one begins; what they ended with they have told themselves. */
const program = `
newline='
'
own_group=$(command -v setsid)
while IFS= read -r job; do
  jobs >/dev/null
  eval "$job"
done
`

/** How long a program may take to end after it was asked to. */
const patience = "2 seconds"

const quote = (word: string) => `'${word.replaceAll("'", `'\\''`).replaceAll("\n", `'"$newline"'`)}'`

const lineOf = (id: number, files: string, { args, env, input, program, rlimits }: ForkedCall): string => {
  const variables = Object.entries(env).map(([name, value]) => `export ${name}=${quote(value)}`)
  const command = `exec $own_group ${[program, ...args].map(quote).join(" ")}`
  const job = [ulimits(rlimits), ...variables, command].join("; ")
  const from = quote(input === undefined ? "/dev/null" : `${files}.in`)
  return `( { ${job}; } <${from} >${quote(`${files}.out`)} 2>${quote(`${files}.err`)} & echo ${id} started $!; wait $!; echo ${id} ended $? ) &\n`
}

/** False when there is nobody to get it; a negative number names a group. */
const kill = (pid: number, name: NodeJS.Signals): boolean => {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}

/** A program leads a group of its own from a moment after its start, and never where there is no `setsid`. */
const signalStarted = (pid: number, name: NodeJS.Signals): boolean => kill(-pid, name) || kill(pid, name)

interface Job {
  pid: number | undefined
  /** The signal that it is to get once it has begun. */
  waiting: NodeJS.Signals | undefined
  /** Done with the exit code; dies when the shell was killed. */
  readonly exit: Deferred.Deferred<number>
}

const signal = (job: Job, name: NodeJS.Signals) =>
  Effect.sync(() => {
    if (job.pid === undefined) job.waiting = name
    else signalStarted(job.pid, name)
  })

/** Asks first: git removes its locks and temporary files when it may. What it started may outlive it, but not this. */
const stop = (job: Job) =>
  Effect.gen(function* () {
    if (yield* Deferred.isDone(job.exit)) return
    const gone = Deferred.await(job.exit).pipe(Effect.exit, Effect.interruptible, Effect.timeoutOption(patience))
    yield* signal(job, "SIGTERM")
    if (Option.isNone(yield* gone)) {
      yield* signal(job, "SIGKILL")
      yield* gone
    }
    if (job.pid !== undefined) kill(-job.pid, "SIGKILL")
  })

/** At once: to hand this to another thread takes five times as long. What stays behind the next life removes. */
const removeFiles = (files: string, { input }: ForkedCall) => {
  for (const kind of input === undefined ? ["out", "err"] : ["in", "out", "err"]) {
    try {
      unlinkSync(`${files}.${kind}`)
    } catch {
      // It was never made.
    }
  }
}

/** False when there is no room, or no directory any more that could be made again. */
const prepareFiles = (directory: string, files: string, { input }: ForkedCall): boolean => {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    if (input !== undefined) writeFileSync(`${files}.in`, input)
    return true
  } catch {
    return false
  }
}

/** The first bytes of a file, and whether there are more. */
const readStart = (path: string, limit: number): readonly [bytes: Buffer, longer: boolean] => {
  const file = openSync(path, "r")
  try {
    const { size } = fstatSync(file)
    const bytes = Buffer.allocUnsafe(Math.min(size, limit))
    return [bytes.subarray(0, readSync(file, bytes)), size > limit]
  } finally {
    closeSync(file)
  }
}

/** One shell, from its start to its end. */
class Shell {
  readonly #child: ChildProcess
  readonly #jobs = new Map<number, Job>()
  gone = false

  constructor(environment: Readonly<Record<string, string>>) {
    this.#child = spawn("sh", ["-c", program], {
      cwd: "/",
      env: environment,
      detached: true,
      stdio: ["pipe", "pipe", "ignore"]
    })
    this.#child.stdin?.on("error", () => {})
    this.#child.once("error", () => this.#lose())
    // Jobs that go on hold its output open: the end of the shell itself counts.
    this.#child.once("exit", () => this.#lose())
    // There are no streams when this process has no file left to open.
    if (this.#child.stdout) createInterface(this.#child.stdout).on("line", (line) => this.#hear(line))
  }

  begin(id: number, line: string): Job {
    const job: Job = { pid: undefined, waiting: undefined, exit: Deferred.unsafeMake(FiberId.none) }
    this.#jobs.set(id, job)
    this.#child.stdin?.write(line)
    return job
  }

  close(): void {
    this.#child.stdin?.end()
  }

  #hear(line: string): void {
    const [id, news, value] = line.split(" ")
    const job = this.#jobs.get(Number(id))
    if (job === undefined) return
    if (news === "started") {
      job.pid = Number(value)
      if (job.waiting !== undefined) signalStarted(job.pid, job.waiting)
    } else {
      this.#jobs.delete(Number(id))
      Deferred.unsafeDone(job.exit, Effect.succeed(Number(value)))
    }
  }

  /** Jobs outlive their shell; one that was about to begin may still be heard of. */
  #lose(): void {
    this.gone = true
    for (const job of this.#jobs.values()) {
      if (job.pid === undefined) job.waiting = "SIGKILL"
      else signalStarted(job.pid, "SIGKILL")
      Deferred.unsafeDone(job.exit, Effect.dieMessage("the shell that starts git has ended"))
    }
  }
}

const remove = (directory: string) => rmSync(directory, { recursive: true, force: true })

/** While the server is still small, but not while somebody waits for its start. */
const quietStart = "1 second"

/**
 * Starts a shell soon, while this process is small, or when it is first needed; and another should it ever end. The
 * directory is the shell's own: what a former life left in it goes.
 */
export const makeForkingShell = (
  environment: Readonly<Record<string, string>>,
  directory: string
): Effect.Effect<ForkingShell, never, Scope.Scope> =>
  Effect.gen(function* () {
    let shell: Shell | undefined
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        shell?.close()
        remove(directory)
      })
    )
    const started = (): Shell => {
      if (shell === undefined) remove(directory)
      if (shell === undefined || shell.gone) shell = new Shell(environment)
      return shell
    }
    yield* Effect.forkScoped(Effect.delay(Effect.sync(started), quietStart))
    let count = 0

    const run: ForkingShell = (call) =>
      Effect.suspend(() => {
        const id = ++count
        const files = join(directory, String(id))
        const line = lineOf(id, files, call)
        if (line.length > longestLine) return Effect.succeedNone
        return Effect.acquireUseRelease(
          Effect.sync(() => {
            const ready = started()
            return prepareFiles(directory, files, call) ? ready.begin(id, line) : undefined
          }),
          (job) =>
            job === undefined
              ? Effect.succeedNone
              : Effect.map(Deferred.await(job.exit), (exitCode) => readResult(files, call, exitCode)),
          (job) =>
            Effect.zipRight(
              job === undefined ? Effect.void : stop(job),
              Effect.sync(() => removeFiles(files, call))
            )
        )
      })
    return run
  })

/** Git fails with this code, and never without a word. */
const fatal = 128

/** None when what it said was lost: a file could not be opened or, on a full disk, not be written. */
const readResult = (
  files: string,
  { complaintLimit, outputLimit }: ForkedCall,
  exitCode: number
): Option.Option<ForkedResult> => {
  try {
    const [stdout, longer] = readStart(`${files}.out`, outputLimit)
    const [stderr] = readStart(`${files}.err`, complaintLimit)
    if (exitCode === fatal && stderr.length === 0) return Option.none()
    return Option.some({ exitCode, stdout, longer, stderr: stderr.toString("utf8") })
  } catch {
    return Option.none()
  }
}
