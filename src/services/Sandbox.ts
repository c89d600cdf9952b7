/**
 * A place where code that nobody has read may run.
 *
 * Owns: opening and always removing sandboxes; commands, files and byte pipes inside them, bounded in size and time.
 * Does not own: what is run and why (`agent/`), git (`agent/workspace.ts` on top of `pipe`).
 */
import { Context, type Effect, type Option, Schema, type Scope, type Stream } from "effect"
import type { Refusal } from "./Egress.ts"
import type { TaskId } from "./Ids.ts"
import type { Secret } from "./Secrets.ts"
import type { Network, NetworkMode } from "./Task.ts"

/** No sandbox can be had now: no engine answers, no image, or the engine refused. Worth another try later. */
export class SandboxUnavailable extends Schema.TaggedError<SandboxUnavailable>()("SandboxUnavailable", {
  reason: Schema.Literal("engine", "image", "refused"),
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** The sandbox died or stopped answering in the middle of the work (out of memory, engine restart, removed by hand). */
export class SandboxLost extends Schema.TaggedError<SandboxLost>()("SandboxLost", {
  detail: Schema.String,
  /** Set when it was ended for using more than its disk limit: another one would fare no better. */
  limit: Schema.optionalWith(Schema.Literal("disk"), { exact: true })
}) {
  override get message() {
    return this.detail
  }
}

/** A file operation that the sandbox's own file system refused. */
export class SandboxFileError extends Schema.TaggedError<SandboxFileError>()("SandboxFileError", {
  path: Schema.String,
  reason: Schema.Literal("not_found", "not_a_file", "denied", "too_large", "no_space", "other"),
  detail: Schema.String
}) {
  override get message() {
    return `${this.path}: ${this.detail}`
  }
}

/** A program that was fed or read through `pipe` ended with another code than 0. */
export class PipeFailed extends Schema.TaggedError<PipeFailed>()("PipeFailed", {
  exitCode: Schema.Int,
  /** The last 4 kB of standard error. */
  stderr: Schema.String
}) {
  override get message() {
    return `exit code ${this.exitCode}: ${this.stderr}`
  }
}

export interface SandboxSpec {
  readonly taskId: TaskId
  readonly run: number
  readonly network: Network
  /** Inside, a variable of each name holds a placeholder; the hosts of a secret get its value. None when absent. */
  readonly secrets?: ReadonlyArray<Secret>
}

/** The directory that holds the work tree in every sandbox, as commands inside see it: `handle.root`. */
export interface Command {
  readonly argv: readonly [string, ...ReadonlyArray<string>]
  /** Absolute, or relative to the root; the root when absent. */
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: Uint8Array
  /** Milliseconds until the command and everything it started is killed. */
  readonly timeoutMs: number
  /** Milliseconds without any output until the same; no limit when absent. */
  readonly silenceMs?: number
  /** Bytes of output (standard output and error as they come) that are kept: half from the start, half from the end. */
  readonly outputLimit: number
}

export interface CommandResult {
  /** 128 + n when killed by signal n, 124 when the time was up or the command too silent. */
  readonly exitCode: number
  readonly timedOut: boolean
  /** It was killed because it had written nothing for `silenceMs`. */
  readonly silent: boolean
  /** What was kept of the output; a line in its middle says how many bytes are missing. Not valid UTF-8 is replaced. */
  readonly output: string
  /** Bytes that the command wrote in all. */
  readonly bytes: number
  readonly durationMs: number
}

export interface FileContent {
  readonly bytes: Uint8Array
  /** Size of the whole file. */
  readonly size: number
}

/** A regular file that was written, made, or has gone. */
export interface Edit {
  /** Relative to the root. */
  readonly path: string
  /** What it holds now; null when there is no file of this name. */
  readonly file: { readonly bytes: Uint8Array; readonly executable: boolean } | null
}

export interface SandboxHandle {
  /** Absolute path of the work tree inside. */
  readonly root: string
  /**
   * Runs a command in a process group of its own. Interruption kills the whole group before it returns.
   * `onOutput` gets the output as it comes, for previews; it is called synchronously and must return at once. Pieces may
   * be left out.
   */
  readonly run: (command: Command, onOutput?: (chunk: Uint8Array) => void) => Effect.Effect<CommandResult, SandboxLost>
  /** Runs a program with `input` on its standard input and gives its standard output, byte for byte, with back-pressure. */
  readonly pipe: <E>(
    argv: Command["argv"],
    input: Stream.Stream<Uint8Array, E>
  ) => Stream.Stream<Uint8Array, E | PipeFailed | SandboxLost>
  /** Reads a regular file; symbolic links are followed inside the sandbox only. */
  readonly readFile: (
    path: string,
    range: { readonly offset: number; readonly limit: number }
  ) => Effect.Effect<FileContent, SandboxFileError | SandboxLost>
  /** Writes a whole file, making missing directories; replaces it at once, never half. */
  readonly writeFile: (path: string, bytes: Uint8Array) => Effect.Effect<void, SandboxFileError | SandboxLost>
  /**
   * Whether a command that has ended, or a write, may have changed the work tree since this was last asked. True without
   * need is allowed. What only a trick could hide (memory that was mapped long ago, a hard link from git's own directory)
   * may be missed: whoever needs the truth looks at the tree.
   */
  readonly treeChanged: Effect.Effect<boolean>
  /**
   * The files that were edited since this was last asked, when nothing else can have changed: at most 64, and 1 MiB.
   * None when only a look at the whole tree can tell, as always where nobody watches it; the next answer then counts from
   * here on. What .gitignore excludes is among them.
   */
  readonly edits: Effect.Effect<Option.Option<ReadonlyArray<Edit>>, SandboxLost>
  /** What commands were kept from on the network since this was last asked, each host and reason once. */
  readonly refusals: Effect.Effect<ReadonlyArray<Refusal>>
}

export interface SandboxHealth {
  readonly adapter: "docker" | "process" | "scripted"
  readonly ready: boolean
  /** For people: what is wrong and what to do, or a version. */
  readonly detail: string
}

export class Sandbox extends Context.Tag("errand/services/Sandbox")<
  Sandbox,
  {
    /** Opens a sandbox with an empty work tree; it is gone when the scope has closed, whatever happens. */
    readonly open: (spec: SandboxSpec) => Effect.Effect<SandboxHandle, SandboxUnavailable, Scope.Scope>
    /** Removes what a former life of this server left behind, and says how many sandboxes that were. */
    readonly sweep: Effect.Effect<number, SandboxUnavailable>
    readonly health: Effect.Effect<SandboxHealth>
    /** The network modes that this sandbox can give; any other is refused when the task is made. */
    readonly networkModes: ReadonlyArray<NetworkMode>
  }
>() {}
