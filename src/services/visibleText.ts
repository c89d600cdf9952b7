/**
 * Text from outside as people see it: what shows nothing, or shows something else than it says, is taken away before a
 * model or a person acts on it.
 *
 * Owns: what counts as invisible. Does not own: which texts are from outside.
 */

/**
 * Zero-width and filler characters, variation selectors, tags, marks that turn the direction of writing; separators that
 * some programs break lines at; control characters but tabs and line breaks.
 */
const invisible =
  // eslint-disable-next-line no-control-regex -- control characters are what this takes away
  /[\p{Default_Ignorable_Code_Point}\u2028\u2029\u2800\ufff9-\ufffb]|(?![\t\n])[\u0000-\u001f\u007f-\u009f]/gu

export const visibleText = (text: string): string => text.replace(invisible, "")

/** One line of it, for names in sentences. */
export const visibleLine = (text: string): string => visibleText(text.replace(/\s+/g, " ")).trim()

const opening = "<!--"
const closing = "-->"

/**
 * Markdown or HTML as it is read by people: without comments too. A comment without an end hides all that follows it.
 */
export const visibleMarkdown = (source: string): string => {
  const text = visibleText(source)
  const parts: Array<string> = []
  let at = 0
  while (true) {
    const start = text.indexOf(opening, at)
    if (start < 0) return [...parts, text.slice(at)].join(" ")
    parts.push(text.slice(at, start))
    const end = text.indexOf(closing, start + opening.length)
    if (end < 0) return parts.join(" ")
    at = end + closing.length
  }
}
