/**
 * Help: what a command is for, how it is called, what can be given.
 *
 * Owns: finding the command that a command line means, and telling what the parser knows of it in little room: the
 * library's own pages spend three paragraphs on an option, and list all commands in lines of 400 characters.
 * Does not own: the descriptions (`commands/`).
 */
import { CliConfig, CommandDescriptor, HelpDoc, type Span } from "@effect/cli"
import { blank, hanging, indented, type Line, line, span } from "./render/Line.ts"

/** A command with the commands below it, in the order in which they are listed. */
export interface Topic {
  readonly name: string
  readonly descriptor: CommandDescriptor.Command<unknown>
  readonly below: ReadonlyArray<Topic>
}

/** The topic that the first words name, with its own words. */
export const topicAt = (
  root: Topic,
  words: ReadonlyArray<string>
): { readonly path: ReadonlyArray<string>; readonly topic: Topic } => {
  const path: Array<string> = []
  let topic = root
  for (const word of words) {
    const next = topic.below.find(({ name }) => name === word)
    if (next === undefined) break
    topic = next
    path.push(word)
  }
  return { path, topic }
}

export const asksForHelp = (words: ReadonlyArray<string>): boolean => {
  const end = words.indexOf("--")
  return (end < 0 ? words : words.slice(0, end)).some((word) => word === "--help" || word === "-h")
}

const flatten = (doc: HelpDoc.HelpDoc): ReadonlyArray<HelpDoc.HelpDoc> =>
  HelpDoc.isSequence(doc) ? [...flatten(doc.left), ...flatten(doc.right)] : HelpDoc.isEmpty(doc) ? [] : [doc]

const textOf = (value: Span.Span): string => {
  switch (value._tag) {
    case "Sequence":
      return textOf(value.left) + textOf(value.right)
    case "Text":
    case "URI":
      return value.value
    default:
      return textOf(value.value)
  }
}

const paragraphs = (doc: HelpDoc.HelpDoc): ReadonlyArray<string> =>
  flatten(doc).flatMap((part) => (HelpDoc.isParagraph(part) ? [textOf(part.value)] : []))

interface Definition {
  readonly name: string
  readonly description: string
}

/** The library says what kind of value it is first, what was described second, and whether it is optional last. */
const definitions = (parts: ReadonlyArray<HelpDoc.HelpDoc>): ReadonlyArray<Definition> =>
  parts.flatMap((part) =>
    HelpDoc.isDescriptionList(part)
      ? part.definitions.map(([name, doc]) => ({
          name: plainName(textOf(name)),
          description: paragraphs(doc)[1] ?? ""
        }))
      : []
  )

const plainName = (name: string): string =>
  name
    .replace(/^\((.*)\)$/, "$1")
    .replace(/ (?:float|integer)$/, " number")
    .replace(/ redacted$/, " text")
    .replaceAll(" | ", "|")

const sectionsOf = ({ descriptor }: Topic) => {
  const sections = new Map<string, Array<HelpDoc.HelpDoc>>()
  let current: Array<HelpDoc.HelpDoc> = []
  for (const part of flatten(CommandDescriptor.getHelp(descriptor, CliConfig.make({ showBuiltIns: false })))) {
    if (HelpDoc.isHeader(part)) {
      current = []
      sections.set(textOf(part.value), current)
    } else current.push(part)
  }
  const section = (name: string) => sections.get(name) ?? []
  return {
    description: section("DESCRIPTION").flatMap(paragraphs).join(" "),
    args: definitions(section("ARGUMENTS")),
    options: definitions(section("OPTIONS"))
  }
}

const widestName = 32

/** A name that is too wide for its column has a line of its own. */
const entry = (width: number, { description, name }: Definition): ReadonlyArray<Line> =>
  name.length + 2 <= width
    ? [hanging(width, line(span(name.padEnd(width), "accent"), description))]
    : [line(span(name, "accent")), ...indented(width, [line(description)])]

const table = (title: string, rows: ReadonlyArray<Definition>): ReadonlyArray<Line> => {
  if (rows.length === 0) return []
  const width = Math.min(widestName, Math.max(...rows.map(({ name }) => name.length)) + 2)
  return [
    blank,
    line(span(title, "strong")),
    ...indented(
      2,
      rows.flatMap((row) => entry(width, row))
    )
  ]
}

const firstSentence = (text: string): string => /^.*?[.:](?= |$)/.exec(text)?.[0].replace(/[.:]$/, "") ?? text

const everywhere: ReadonlyArray<Definition> = [
  { name: "-h, --help", description: "Show this, for any command" },
  { name: "--log-level debug|info|…", description: "How much of the log to print" }
]

const atTheRoot: ReadonlyArray<Definition> = [
  { name: "--version", description: "Print the version" },
  { name: "--completions bash|fish|zsh", description: "Print a script that completes commands in this shell" }
]

export const tellHelp = (path: ReadonlyArray<string>, topic: Topic): ReadonlyArray<Line> => {
  const { args, description, options } = sectionsOf(topic)
  const given = [...(options.length > 0 ? ["[options]"] : []), ...args.map(({ name }) => name)]
  const usage = ["errand", ...path, ...(topic.below.length > 0 ? ["<command>"] : given)]
  return [
    line(description),
    blank,
    hanging(7, line(span("Usage: ", "strong"), usage.join(" "))),
    ...table(
      "Commands",
      topic.below.map((below) => ({ name: below.name, description: firstSentence(sectionsOf(below).description) }))
    ),
    ...table("Arguments", args),
    ...table("Options", [...options, ...everywhere, ...(path.length === 0 ? atTheRoot : [])])
  ]
}
