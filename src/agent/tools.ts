/**
 * What each tool does to the sandbox, and what the model gets to see of it.
 *
 * Does not own: names and inputs (`toolCatalogue.ts`), the order of calls (`useTools.ts`), asking people (`askUser.ts`).
 */
import { Effect, type ParseResult } from "effect"
import { firstBytes, lastBytes } from "../services/excerpts.ts"
import type { Refusal } from "../services/Egress.ts"
import type { CommandResult, SandboxFileError, SandboxHandle, SandboxLost } from "../services/Sandbox.ts"
import {
  decoders,
  defaultTimeoutSeconds,
  type EditFile,
  invalidInput,
  type ListFiles,
  type ReadFile,
  type RunCommand,
  type SearchFiles,
  type ToolName,
  type WriteFile
} from "./toolCatalogue.ts"

/** What a tool call came to. `output` is what is stored; the model gets `forModel(output)`. */
export interface ToolOutcome {
  readonly output: string
  readonly bytes: number
  readonly isError: boolean
  readonly exitCode: number | null
}

/** Bytes of one tool result that the model sees. */
const modelLimit = 30_000
/** Bytes of output that are stored. */
const storeLimit = 1_048_576
/** Bytes that `read_file` and `edit_file` read at most. */
const fileLimit = 2_097_152

export const failure = (text: string): ToolOutcome => ({
  output: text,
  bytes: Buffer.byteLength(text),
  isError: true,
  exitCode: null
})

const success = (text: string): ToolOutcome => ({ ...failure(text), isError: false })

/** What the model sees of a stored output. */
export const forModel = (output: string): string => {
  if (output.length <= modelLimit / 4) return output
  const bytes = Buffer.from(output)
  if (bytes.length <= modelLimit) return output
  const missing = bytes.length - modelLimit
  return `${firstBytes(bytes, modelLimit / 2)}\n[… ${missing} bytes left out …]\n${lastBytes(bytes, modelLimit / 2)}`
}

/** How a command is looked after while it runs. */
export interface Watching {
  readonly onOutput: (chunk: Uint8Array) => void
  /** Milliseconds without output after which a command is killed. */
  readonly silenceMs: number
}

/** Runs one call of any tool but `ask_user`. Whatever is wrong with the call is told to the model, not thrown. */
export const runTool = (
  sandbox: SandboxHandle,
  name: Exclude<ToolName, "ask_user">,
  input: unknown,
  watching: Watching
): Effect.Effect<ToolOutcome, SandboxLost> =>
  dispatch(sandbox, name, input, watching).pipe(
    Effect.catchTags({
      ParseError: (error) => Effect.succeed(failure(invalidInput(name, error))),
      SandboxFileError: (error) => Effect.succeed(failure(error.message))
    })
  )

const dispatch = (
  sandbox: SandboxHandle,
  name: Exclude<ToolName, "ask_user">,
  input: unknown,
  watching: Watching
): Effect.Effect<ToolOutcome, SandboxLost | SandboxFileError | ParseResult.ParseError> => {
  switch (name) {
    case "read_file":
      return Effect.flatMap(decoders.read_file(input), (_) => readFile(sandbox, _))
    case "write_file":
      return Effect.flatMap(decoders.write_file(input), (_) => writeFile(sandbox, _))
    case "edit_file":
      return Effect.flatMap(decoders.edit_file(input), (_) => editFile(sandbox, _))
    case "list_files":
      return Effect.flatMap(decoders.list_files(input), (_) => listFiles(sandbox, _))
    case "search_files":
      return Effect.flatMap(decoders.search_files(input), (_) => searchFiles(sandbox, _))
    case "run_command":
      return Effect.flatMap(decoders.run_command(input), (_) => runCommand(sandbox, _, watching))
  }
}

const looksBinary = (bytes: Uint8Array): boolean => bytes.subarray(0, 8_000).includes(0)

const readFile = Effect.fnUntraced(function* (sandbox: SandboxHandle, input: typeof ReadFile.Type) {
  const { bytes, size } = yield* sandbox.readFile(input.path, { offset: 0, limit: fileLimit })
  if (looksBinary(bytes)) return failure(`${input.path} is a binary file of ${size} bytes.`)
  const lines = new TextDecoder().decode(bytes).split("\n")
  const first = (input.offset ?? 1) - 1
  if (first > 0 && first >= lines.length) return failure(`${input.path} has ${lines.length} lines.`)
  const last = Math.min(lines.length, first + (input.limit ?? lines.length))
  const numbered = lines.slice(first, last).map((line, index) => `${String(first + index + 1).padStart(6)}\t${line}`)
  const notes = [
    ...(size > bytes.length ? [`[only the first ${bytes.length} of ${size} bytes were read]`] : []),
    ...(last < lines.length ? [`[${lines.length - last} more lines]`] : [])
  ]
  return success([...numbered, ...notes].join("\n"))
})

const writeFile = Effect.fnUntraced(function* (sandbox: SandboxHandle, input: typeof WriteFile.Type) {
  const bytes = new TextEncoder().encode(input.content)
  yield* sandbox.writeFile(input.path, bytes)
  return success(`Wrote ${bytes.length} bytes to ${input.path}.`)
})

const editFile = Effect.fnUntraced(function* (sandbox: SandboxHandle, input: typeof EditFile.Type) {
  const { bytes, size } = yield* sandbox.readFile(input.path, { offset: 0, limit: fileLimit })
  if (size > bytes.length) return failure(`${input.path} has ${size} bytes, more than can be edited like this.`)
  const text = new TextDecoder().decode(bytes)
  if (!Buffer.from(text).equals(bytes)) return failure(`${input.path} is not UTF-8 text; edit it with a command.`)
  const pieces = text.split(input.old_text)
  const found = pieces.length - 1
  if (found === 0) return failure(`old_text does not occur in ${input.path}.`)
  if (found > 1 && input.replace_all !== true) {
    return failure(`old_text occurs ${found} times in ${input.path}; make it longer, or set replace_all.`)
  }
  yield* sandbox.writeFile(input.path, new TextEncoder().encode(pieces.join(input.new_text)))
  return success(`Replaced ${found === 1 ? "one place" : `${found} places`} in ${input.path}.`)
})

/** `git` lists and searches: it is in every sandbox and knows what is ignored. */
const runGit = (sandbox: SandboxHandle, args: ReadonlyArray<string>) =>
  sandbox.run({
    argv: ["git", "-c", "core.quotePath=false", ...args],
    timeoutMs: 60_000,
    outputLimit: storeLimit
  })

const listFiles = Effect.fnUntraced(function* (sandbox: SandboxHandle, input: typeof ListFiles.Type) {
  const where = input.path === undefined ? [] : [`:(literal)${input.path}`]
  const glob = input.pattern === undefined ? [] : [`:(glob)**/${input.pattern}`]
  const listed = yield* runGit(sandbox, [
    "ls-files",
    "--cached",
    "--others",
    "--exclude-standard",
    "--",
    ...(glob.length > 0 ? glob : where)
  ])
  if (listed.exitCode !== 0) return fromCommand(listed)
  const inside = input.path === undefined ? "" : `${input.path.replace(/^\.\/|\/+$/g, "")}/`
  const files = listed.output
    .split("\n")
    .filter((file) => file !== "" && (glob.length === 0 || inside === "./" || file.startsWith(inside)))
  return success(files.length === 0 ? "No files." : [...new Set(files)].join("\n"))
})

const searchFiles = Effect.fnUntraced(function* (sandbox: SandboxHandle, input: typeof SearchFiles.Type) {
  const found = yield* runGit(sandbox, [
    "grep",
    "--untracked",
    "-nIE",
    ...(input.ignore_case === true ? ["-i"] : []),
    "-e",
    input.pattern,
    "--",
    ...(input.path === undefined ? [] : [`:(literal)${input.path}`])
  ])
  return found.exitCode === 1 && found.bytes === 0 ? success("Nothing found.") : fromCommand(found)
})

const runCommand = (sandbox: SandboxHandle, input: typeof RunCommand.Type, { onOutput, silenceMs }: Watching) =>
  Effect.gen(function* () {
    const result = yield* sandbox.run(
      {
        argv: ["bash", "-c", input.command],
        timeoutMs: (input.timeout_seconds ?? defaultTimeoutSeconds) * 1000,
        silenceMs,
        outputLimit: storeLimit
      },
      onOutput
    )
    return fromCommand(result, yield* sandbox.refusals)
  })

/** Refusals that the model is told of: who is kept from more has understood by then. */
const toldRefusals = 5

const refusalNotes = (refusals: ReadonlyArray<Refusal>): ReadonlyArray<string> =>
  refusals
    .slice(0, toldRefusals)
    .map(({ host, reason, remedy }) => `[network: nothing went through to ${host}: ${reason}. ${remedy}]`)

/** What the model is told beside the output. */
const noteOf = ({ durationMs, exitCode, silent, timedOut }: CommandResult): string => {
  const seconds = `${Math.round(durationMs / 1000)} s`
  if (timedOut) return `[killed: the time was up after ${seconds}]`
  if (silent) {
    return `[killed after ${seconds}: it had written nothing for too long, so it seemed to hang. If it only works in silence, make it tell its progress.]`
  }
  return exitCode === 0 ? "" : `[exit code ${exitCode}]`
}

const fromCommand = (result: CommandResult, refusals: ReadonlyArray<Refusal> = []): ToolOutcome => {
  const note = [noteOf(result), ...refusalNotes(refusals)].filter((line) => line !== "").join("\n")
  const text = result.output === "" && note === "" ? "[no output]" : result.output
  return {
    output: note === "" ? text : `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${note}`,
    bytes: result.bytes,
    isError: result.exitCode !== 0,
    exitCode: result.exitCode
  }
}
