/**
 * Pricing from the table below, and from the file that the user names.
 *
 * The file is a JSON object in the form of `PriceTable`. Its entries are added to the table and replace those of the same
 * key; as everywhere, the name of a model itself counts before a family, and a longer family before a shorter one.
 */
import type { FileSystem } from "@effect/platform"
import { Effect, Layer, Option, Schema } from "effect"
import { AppConfig } from "../services/AppConfig.ts"
import { type Price, PriceTable, Pricing } from "../services/Pricing.ts"
import { type JsonFileInvalid, readJsonFile } from "./jsonFile.ts"

/** Writing to the five-minute cache costs a quarter more than reading the prompt anew, with every model. */
const price = (input: number, output: number, cacheRead: number): Price => ({
  input,
  output,
  cacheRead,
  cacheWrite: input * 1.25
})

const fable5 = price(10, 50, 1)
const fable51 = price(10, 50, 0.25)
const opus4 = price(15, 75, 1.5)
const opus45 = price(5, 25, 0.5)
const sonnet4 = price(3, 15, 0.3)
const sonnet5 = price(2, 10, 0.2)

/**
 * List prices of Claude models on Anthropic's own API, as of October 2026. A family ends where its price might end: a
 * version that came later is unknown until somebody adds it, and so refused under a money limit.
 */
export const builtInPrices: PriceTable = {
  scripted: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
  "claude-fable-5": fable5,
  "claude-fable-5-2026*": fable5,
  "claude-fable-5-1*": fable51,
  "claude-mythos-5": fable5,
  "claude-mythos-5-2026*": fable5,
  "claude-mythos-5-1*": fable51,
  "claude-opus-4-0*": opus4,
  "claude-opus-4-1*": opus4,
  "claude-opus-4-2025*": opus4,
  "claude-opus-4-5*": opus45,
  "claude-opus-4-6*": opus45,
  "claude-opus-4-7*": opus45,
  "claude-opus-4-8*": opus45,
  "claude-opus-5": opus45,
  "claude-opus-5-2026*": opus45,
  "claude-opus-5-5*": price(4, 20, 0.2),
  "claude-sonnet-4-0*": sonnet4,
  "claude-sonnet-4-2025*": sonnet4,
  "claude-sonnet-4-5*": sonnet4,
  "claude-sonnet-4-6*": sonnet4,
  "claude-sonnet-5": sonnet5,
  "claude-sonnet-5-2026*": sonnet5,
  "claude-sonnet-5-5*": price(2, 10, 0.1),
  "claude-haiku-4-5*": price(1, 5, 0.1),
  // The price of prompts over 100,000 tokens; shorter ones cost a fifth, and a limit must hold for both.
  "claude-haiku-5-5*": price(0.5, 2.5, 0.05)
}

const sane = (table: PriceTable) =>
  Object.entries(table).flatMap(([model, prices]) =>
    Object.entries(prices).flatMap(([kind, dollars]) =>
      Number.isFinite(dollars) && dollars >= 0
        ? []
        : [{ path: [model, kind], message: "a price is a number of dollars from 0 up" }]
    )
  )

const UserPrices = PriceTable.pipe(Schema.filter(sane))

const decode = Schema.decodeUnknown(UserPrices, { errors: "all", onExcessProperty: "error" })

export const layer: Layer.Layer<Pricing, JsonFileInvalid, AppConfig | FileSystem.FileSystem> = Layer.effect(
  Pricing,
  Effect.gen(function* () {
    const { model } = yield* AppConfig
    const own = yield* Option.match(model.prices, {
      onNone: () => Effect.succeed<PriceTable>({}),
      onSome: (path) => readJsonFile(path, decode)
    })
    return Pricing.of({ table: { ...builtInPrices, ...own } })
  })
)
