/** What a tool call does, in one line. */
import { Predicate } from "effect"
import { safeLine } from "./safeText.ts"

const textIn = (input: unknown, key: string): string | undefined =>
  Predicate.hasProperty(input, key) && typeof input[key] === "string" ? input[key] : undefined

const numberIn = (input: unknown, key: string): number | undefined =>
  Predicate.hasProperty(input, key) && typeof input[key] === "number" ? input[key] : undefined

const lineRange = (input: unknown): string => {
  const from = numberIn(input, "offset")
  const many = numberIn(input, "limit")
  if (from === undefined && many === undefined) return ""
  return many === undefined ? `from line ${from}` : `lines ${from ?? 1} to ${(from ?? 1) + many - 1}`
}

const place = (input: unknown): string => {
  const path = textIn(input, "path")
  return path === undefined ? "" : `in ${path}`
}

const words = (...parts: ReadonlyArray<string | undefined>): string =>
  safeLine(parts.filter((part) => part !== undefined && part !== "").join(" "))

/** `input` is what the model wrote: it may be anything. */
export const toolTitle = (tool: string, input: unknown): string => {
  switch (tool) {
    case "run_command":
      return words("$", textIn(input, "command"))
    case "read_file":
      return words("read", textIn(input, "path"), lineRange(input))
    case "write_file":
      return words("write", textIn(input, "path"))
    case "edit_file":
      return words("edit", textIn(input, "path"))
    case "list_files":
      return words("list", textIn(input, "pattern") ?? "files", place(input))
    case "search_files":
      return words("search", textIn(input, "pattern"), place(input))
    case "ask_user":
      return words("ask", textIn(input, "question"))
    default:
      return words(tool, (JSON.stringify(input) ?? "").slice(0, 200))
  }
}
