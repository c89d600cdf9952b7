/**
 * How much room text takes in a terminal.
 *
 * Owns: columns of a text, and cutting and breaking by columns, never inside a character.
 */

/** Made when text needs it: it takes longer to make than a server's start can spare. */
let segmenter: Intl.Segmenter | undefined

const ascii = /^[\u0020-\u007e]*$/u

/** Emoji and the scripts whose characters fill two columns. */
const wide =
  /\p{Emoji_Presentation}|\ufe0f|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{20000}-\u{3fffd}]/u

const columnsOf = (grapheme: string): number => (/^\p{M}+$/u.test(grapheme) ? 0 : wide.test(grapheme) ? 2 : 1)

const graphemes = (text: string): ReadonlyArray<string> => {
  segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" })
  return Array.from(segmenter.segment(text), ({ segment }) => segment)
}

/** Columns that a text without control characters takes. */
export const widthOf = (text: string): number =>
  ascii.test(text) ? text.length : graphemes(text).reduce((columns, grapheme) => columns + columnsOf(grapheme), 0)

/** The longest start of a text that fits, and what is left. At least one character is taken, so that nobody loops. */
export const split = (text: string, columns: number): readonly [fitting: string, rest: string] => {
  let taken = 0
  let end = 0
  for (const grapheme of graphemes(text)) {
    taken += columnsOf(grapheme)
    if (taken > columns && end > 0) break
    end += grapheme.length
  }
  return [text.slice(0, end), text.slice(end)]
}

/** A text that fits; a longer one ends with `…`. */
export const cut = (text: string, columns: number): string => {
  if (columns < 1) return ""
  return widthOf(text) <= columns ? text : `${columns === 1 ? "" : split(text, columns - 1)[0]}…`
}
