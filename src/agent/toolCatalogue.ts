/**
 * The seven tools as the model knows them: names, descriptions and the shapes of their inputs.
 *
 * Does not own: what they do (`tools.ts`).
 */
import { JSONSchema, ParseResult, Schema } from "effect"
import type { ToolDefinition } from "../services/ClaudeClient.ts"

export const defaultTimeoutSeconds = 120
const maxTimeoutSeconds = 1_800

const Path = Schema.String.pipe(Schema.minLength(1), Schema.maxLength(4_096)).annotations({
  description: "Path of a file, relative to the working directory"
})

export const ReadFile = Schema.Struct({
  path: Path,
  offset: Schema.optionalWith(Schema.Number.pipe(Schema.int(), Schema.positive()), { exact: true }).annotations({
    description: "First line to read, counted from 1"
  }),
  limit: Schema.optionalWith(Schema.Number.pipe(Schema.int(), Schema.between(1, 10_000)), { exact: true }).annotations({
    description: "How many lines to read"
  })
})

export const WriteFile = Schema.Struct({
  path: Path,
  content: Schema.String.annotations({ description: "The whole new content of the file" })
})

export const EditFile = Schema.Struct({
  path: Path,
  old_text: Schema.String.pipe(Schema.minLength(1)).annotations({
    description: "Text in the file, exactly as it stands there, spaces and line breaks included"
  }),
  new_text: Schema.String.annotations({ description: "What stands there afterwards" }),
  replace_all: Schema.optionalWith(Schema.Boolean, { exact: true }).annotations({
    description: "Replace every occurrence; without it the text must occur exactly once"
  })
})

export const ListFiles = Schema.Struct({
  path: Schema.optionalWith(Path, { exact: true }).annotations({ description: "A directory; all when absent" }),
  pattern: Schema.optionalWith(Schema.String.pipe(Schema.minLength(1), Schema.maxLength(1_024)), {
    exact: true
  }).annotations({ description: "A glob as git has it, for example *.test.ts" })
})

export const SearchFiles = Schema.Struct({
  pattern: Schema.String.pipe(Schema.minLength(1), Schema.maxLength(4_096)).annotations({
    description: "An extended regular expression"
  }),
  path: Schema.optionalWith(Path, { exact: true }).annotations({ description: "A file or directory to search in" }),
  ignore_case: Schema.optionalWith(Schema.Boolean, { exact: true })
})

export const RunCommand = Schema.Struct({
  command: Schema.String.pipe(Schema.minLength(1), Schema.maxLength(30_000)).annotations({
    description: "A command for bash, run in the working directory"
  }),
  timeout_seconds: Schema.optionalWith(Schema.Number.pipe(Schema.int(), Schema.between(1, maxTimeoutSeconds)), {
    exact: true
  }).annotations({ description: `Time after which it is killed; ${defaultTimeoutSeconds} when absent` })
})

export const AskUser = Schema.Struct({
  question: Schema.String.pipe(Schema.minLength(1), Schema.maxLength(2_000)),
  detail: Schema.optionalWith(Schema.String.pipe(Schema.maxLength(20_000)), { exact: true }).annotations({
    description: "What the user needs to know to decide"
  }),
  choices: Schema.optionalWith(Schema.Array(Schema.String.pipe(Schema.maxLength(200))).pipe(Schema.maxItems(10)), {
    exact: true
  }).annotations({ description: "Answers to choose from; the first one is what happens when nobody answers" })
})

/** What each tool does in words for the model, the shape of its input, and whether it can change anything. */
const catalogue = {
  read_file: { input: ReadFile, readOnly: true, description: "Reads a text file. Lines are numbered." },
  write_file: {
    input: WriteFile,
    readOnly: false,
    description: "Writes a file, in place of what was there. Makes missing directories."
  },
  edit_file: { input: EditFile, readOnly: false, description: "Replaces one piece of text in a file by another." },
  list_files: {
    input: ListFiles,
    readOnly: true,
    description: "Lists the files of the repository, new ones included and ignored ones left out."
  },
  search_files: {
    input: SearchFiles,
    readOnly: true,
    description: "Searches the text of the repository's files. Gives path, line number and line."
  },
  run_command: {
    input: RunCommand,
    readOnly: false,
    description:
      "Runs a command and gives its output and exit code. Every command starts in the working directory, with nothing left from the one before but files."
  },
  ask_user: {
    input: AskUser,
    readOnly: false,
    description: "Asks the user a question and waits for the answer, or for the default when nobody answers in time."
  }
} as const

export type ToolName = keyof typeof catalogue
export const isTool = (name: string): name is ToolName => Object.hasOwn(catalogue, name)
export const isReadOnly = (name: string): boolean => isTool(name) && catalogue[name].readOnly

const inputSchema = (schema: Schema.Schema.AnyNoContext): Record<string, unknown> => {
  const { $schema: _, ...rest } = JSONSchema.make(schema)
  return rest
}

/** In an order that never changes: it is part of the cached prefix. */
export const definitions: ReadonlyArray<ToolDefinition> = Object.entries(catalogue).map(
  ([name, { description, input }]) => ({ name, description, inputSchema: inputSchema(input) })
)

export const decoders = {
  read_file: Schema.decodeUnknown(ReadFile, { onExcessProperty: "error" }),
  write_file: Schema.decodeUnknown(WriteFile, { onExcessProperty: "error" }),
  edit_file: Schema.decodeUnknown(EditFile, { onExcessProperty: "error" }),
  list_files: Schema.decodeUnknown(ListFiles, { onExcessProperty: "error" }),
  search_files: Schema.decodeUnknown(SearchFiles, { onExcessProperty: "error" }),
  run_command: Schema.decodeUnknown(RunCommand, { onExcessProperty: "error" }),
  ask_user: Schema.decodeUnknown(AskUser, { onExcessProperty: "error" })
}

export const invalidInput = (name: string, error: ParseResult.ParseError): string =>
  `The input of ${name} is not valid: ${ParseResult.ArrayFormatter.formatErrorSync(error)
    .map(({ message, path }) => `${path.join(".") || "input"}: ${message}`)
    .join("; ")}`
