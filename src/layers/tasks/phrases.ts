/** What a user types into a search field, as words that mean nothing to a query language. */

/** Bounds the cost of one search. */
const mostPhrases = 16

/** The letters and digits of which FTS5's `unicode61` makes its words. */
const word = /[\p{L}\p{N}\p{M}\p{Co}]+/gu

export const wordsOf = (text: string): ReadonlyArray<string> => text.match(word) ?? []

/**
 * One phrase for each stretch of text between blanks: `foo-bar.ts` is the words foo, bar, ts in a row. Signs alone are
 * no phrase; a query of nothing else gives none.
 */
export const phrasesOf = (query: string): ReadonlyArray<ReadonlyArray<string>> =>
  query
    .split(/\s+/u)
    .map(wordsOf)
    .filter((words) => words.length > 0)
    .slice(0, mostPhrases)
