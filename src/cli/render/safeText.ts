/**
 * Text that somebody else wrote (a model, a command, a repository), made harmless for a terminal.
 *
 * Owns: taking out whatever a terminal would obey instead of show, and what hides or reorders characters.
 * Does not own: width and colours (`Line.ts`).
 */
import { stripVTControlCharacters } from "node:util"

/** Control strings with all that they carry, up to their terminator or the end of the line. */
const controlStrings =
  // eslint-disable-next-line no-control-regex -- control characters are what this looks for
  /(?:\u001b[PX^_\]]|[\u0090\u0098\u009d-\u009f])[^\u0007\u001b\u009c\n]*(?:\u0007|\u001b\\|\u009c)?/gu

// eslint-disable-next-line no-control-regex -- control characters are what this looks for
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/gu

/** Marks that turn the direction of writing, take no space, or carry invisible letters. */
const invisible =
  /[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu

const lineBreak = /\r\n|[\n\u0085\u2028\u2029]/u

/** A progress bar writes over its own line: the last state of it stands. */
const lastState = (line: string): string => {
  const written = line.replace(/\r+$/u, "")
  return written.slice(written.lastIndexOf("\r") + 1)
}

/** The lines of a text as a person may see them; no line contains a control character. */
export const safeLines = (text: string): ReadonlyArray<string> =>
  stripVTControlCharacters(text.replace(controlStrings, ""))
    .split(lineBreak)
    .map((line) => lastState(line).replace(/\t/gu, "  ").replace(controls, "").replace(invisible, ""))

/** A text as one line. */
export const safeLine = (text: string): string => safeLines(text).join(" ").replace(/ +/gu, " ").trim()
