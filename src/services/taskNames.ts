/**
 * Names that a task gets when nobody chose one.
 */
import type { TaskId } from "./Ids.ts"

const titleLength = 72

// eslint-disable-next-line no-control-regex -- control characters are what this takes out
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/gu

/** The first line of a prompt with words in it, cut between words where it is long. */
export const defaultTitle = (prompt: string): string => {
  const first = prompt.split(/[\r\n\u2028\u2029]+/).find((line) => line.replace(control, "").trim() !== "") ?? ""
  const words = first.replace(control, " ").replace(/\s+/g, " ").trim()
  const characters = [...words]
  if (characters.length <= titleLength) return words
  const cut = characters.slice(0, titleLength)
  const space = cut.lastIndexOf(" ")
  const whole = characters[titleLength] === " " || space < titleLength / 2
  return (whole ? cut : cut.slice(0, space)).join("").trimEnd()
}

const wordsLength = 40

/**
 * `errand/` with the words of the title and the end of the id: ASCII, a valid name for git, no longer than 64
 * characters, and different for every task.
 */
export const branchName = (title: string, id: TaskId): string => {
  const plain = title
    .normalize("NFKD")
    .replace(/\p{Mark}+/gu, "")
    .toLowerCase()
  const words = plain.replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "")
  const kept = words.length <= wordsLength ? words : cutAtHyphen(words)
  return `errand/${kept === "" ? "task" : kept}-${id.slice(-8).toLowerCase()}`
}

/** One character more tells whether a word ends at the bound; a single word that is too long is cut. */
const cutAtHyphen = (words: string): string =>
  words
    .slice(0, wordsLength + 1)
    .replace(/-[^-]*$/, "")
    .slice(0, wordsLength)
