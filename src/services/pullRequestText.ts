/**
 * What a pull request says: the whole change in words, and none of the power that words have at a forge.
 *
 * Owns: titles and descriptions, and taking the effect out of text that nobody has vouched for. Pure.
 * Does not own: where they go (`openPullRequest.ts`).
 */
import type { Diff } from "./GitStore.ts"
import type { Task } from "./Task.ts"
import { visibleLine, visibleText } from "./visibleText.ts"

/** Most characters of each part; GitHub takes 65,536 in all. */
const titleLength = 200
const wordsLength = 20_000
const templateLength = 16_000
const listedFiles = 50

/** Written between two characters, it keeps a forge from reading them together, and is not seen. */
const joint = "\u200b"

/**
 * Text that calls nobody, closes nothing, refers to nothing, loads nothing and is no HTML, wherever a forge renders it:
 * mentions, references to issues (also as URLs, as `GH-1`, as entities), tags, comments and images are broken up.
 */
export const harmless = (text: string): string =>
  visibleText(text)
    .replace(/@(?=[\p{L}\p{N}_-])/gu, `@${joint}`)
    .replace(/#(?=\d)/g, `#${joint}`)
    .replace(/\bGH-(?=\d)/gi, (found) => `${found}${joint}`)
    .replace(/\/(issues|pulls?|discussions|commit|merge_requests)\/(?=[\da-f])/gi, `/$1/${joint}`)
    .replace(/!(?=[[{])/g, `!${joint}`)
    .replace(/&(?=#?\w+;)/g, `&${joint}`)
    .replace(/<(?=[a-z/!?])/gi, `<${joint}`)

const cut = (text: string, length: number): string => {
  const characters = [...text]
  return characters.length <= length ? text : `${characters.slice(0, length).join("")}\n\n[cut here]`
}

/** One line. References in it are the user's own words, and stay. */
export const pullRequestTitle = ({ title }: Pick<Task, "title">): string => {
  return [...visibleLine(title)].slice(0, titleLength).join("")
}

const plural = (count: number, word: string) => `${count} ${word}${count === 1 ? "" : "s"}`

/** A path as it is seen, in a span of code that it can't leave. */
const inCode = (path: string) => `\`${harmless(path).replace(/[`|\n\t]/g, "\ufffd")}\``

const summary = ({ additions, deletions, files, truncated }: Diff): string => {
  const rows = files
    .slice(0, listedFiles)
    .map((file) => `| ${inCode(file.path)} | ${file.binary ? "binary" : `+${file.additions} −${file.deletions}`} |`)
  const rest = files.length - rows.length
  const more = rest > 0 || truncated ? [`\nand ${truncated ? "more" : plural(rest, "more file")}`] : []
  const head = `${plural(files.length, "file")}${truncated ? " or more" : ""}, +${additions} −${deletions}`
  return [`<details><summary>${head}</summary>\n`, "| file | lines |", "| --- | --- |", ...rows, ...more, "</details>"]
    .join("\n")
    .concat("\n")
}

/** What a forge runs before anybody has read it is told before the rest. */
const ciNotice = ({ ciChanges }: Task): string =>
  ciChanges.length === 0 ? "" : `**Changes CI definitions:** ${ciChanges.slice(0, listedFiles).map(inCode).join(", ")}`

const markOf = ({ id }: Pick<Task, "id">, end: "begin" | "end") => `<!-- errand ${id} ${end} -->`

/** The part that Errand keeps up to date; what stands outside of it is other people's. */
const ownPart = (task: Task, words: string, diff: Diff): string =>
  [
    markOf(task, "begin"),
    ciNotice(task),
    cut(harmless(words).trim(), wordsLength),
    summary(diff),
    `_Written by ${harmless(task.model)} with Errand, task \`${task.id}\`. Nobody has reviewed it yet._`,
    markOf(task, "end")
  ]
    .filter((part) => part !== "")
    .join("\n\n")

/** The description of a new pull request; `template` is the repository's own, as it stands. */
export const pullRequestBody = (task: Task, words: string, diff: Diff, template: string | null): string =>
  [ownPart(task, words, diff), ...(template === null ? [] : [cut(template.trim(), templateLength)])].join("\n\n")

/** `body` with the part of Errand's as it is now; as it was when somebody has taken that part out. */
export const renewedBody = (body: string, task: Task, words: string, diff: Diff): string => {
  const [begin, end] = [body.indexOf(markOf(task, "begin")), body.indexOf(markOf(task, "end"))]
  if (begin < 0 || end < begin) return body
  return `${body.slice(0, begin)}${ownPart(task, words, diff)}${body.slice(end + markOf(task, "end").length)}`
}
