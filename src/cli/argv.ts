/**
 * What the user typed, in the form that the parser understands best.
 *
 * Owns: two forms that @effect/cli 0.77 gets wrong.
 */
import { HelpDoc } from "@effect/cli"
import { Effect } from "effect"

/** `--name=value` as two words: of an option that may be repeated, the parser loses all but one otherwise. */
export const separateValues = (words: ReadonlyArray<string>): ReadonlyArray<string> => {
  const end = words.indexOf("--")
  const options = end < 0 ? words : words.slice(0, end)
  return [
    ...options.flatMap((word) => {
      const [, name, value] = /^(--[a-z][a-z-]*)=(.*)$/s.exec(word) ?? []
      return name === undefined || value === undefined ? [word] : [name, value]
    }),
    ...words.slice(options.length)
  ]
}

/** The parser takes an option that it does not know for an argument, and then complains about the next word. */
export const refuseOptions = (word: string): Effect.Effect<string, HelpDoc.HelpDoc> =>
  /^--?[a-z][a-z-]*$/i.test(word) ? Effect.fail(HelpDoc.p(`Unknown option ${word}.`)) : Effect.succeed(word)
