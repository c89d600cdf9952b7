/**
 * What the model costs.
 *
 * Owns: prices as data, and the arithmetic from tokens to dollars.
 * Does not own: limits (`agent/limits.ts`).
 */
import { Context, Option, Schema } from "effect"
import type { TokenCounts } from "./ClaudeClient.ts"

/** US dollars for a million tokens. */
export const Price = Schema.Struct({
  input: Schema.Number,
  output: Schema.Number,
  cacheRead: Schema.Number,
  cacheWrite: Schema.Number
}).annotations({ identifier: "Price" })
export interface Price extends Schema.Schema.Type<typeof Price> {}

/** Keys are names of models, or the start of names followed by `*`. */
export const PriceTable = Schema.Record({ key: Schema.String, value: Price })
export type PriceTable = typeof PriceTable.Type

/** The price of a model: its own entry, or the longest entry with `*` that its name starts with. */
export const priceOf = (table: PriceTable, model: string): Option.Option<Price> => {
  const own = table[model]
  if (own !== undefined) return Option.some(own)
  const family = Object.keys(table)
    .filter((key) => key.endsWith("*") && model.startsWith(key.slice(0, -1)))
    .toSorted((a, b) => b.length - a.length)[0]
  return Option.fromNullable(family === undefined ? undefined : table[family])
}

/** Dollars, rounded up to a billionth. */
export const costOf = (price: Price, tokens: TokenCounts): number => {
  const millionths =
    tokens.inputTokens * price.input +
    tokens.outputTokens * price.output +
    tokens.cacheReadTokens * price.cacheRead +
    tokens.cacheWriteTokens * price.cacheWrite
  return Math.ceil(Number((millionths * 1e3).toFixed(3))) / 1e9
}

export class Pricing extends Context.Tag("errand/services/Pricing")<Pricing, { readonly table: PriceTable }>() {}
