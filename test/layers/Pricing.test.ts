import { NodeFileSystem } from "@effect/platform-node"
import { FileSystem } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import type { JsonFileInvalid } from "../../src/layers/jsonFile.ts"
import * as PricingFile from "../../src/layers/PricingFile.ts"
import { costOf, priceOf, type PriceTable, Pricing } from "../../src/services/Pricing.ts"
import { modelSettings } from "../support/settings.ts"

/** The table, with a file of prices that holds this text. */
const tableWith = (text: string) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = yield* files.makeTempFileScoped()
    yield* files.writeFileString(path, text)
    const layer = Layer.provide(PricingFile.layer, modelSettings({ prices: Option.some(path) }))
    const { table } = yield* Effect.provide(Pricing, layer)
    return table
  }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))

const priceIn = (table: PriceTable, model: string) => Option.getOrUndefined(priceOf(table, model))

const tokens = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 }

const problemsIn = (text: string): Effect.Effect<ReadonlyArray<string>> =>
  tableWith(text).pipe(
    Effect.flip,
    Effect.flatMap((error) => (error._tag === "JsonFileInvalid" ? Effect.succeed(error) : Effect.die(error))),
    Effect.map((error: JsonFileInvalid) => error.problems),
    Effect.orDie
  )

describe("Pricing", () => {
  it.effect("knows the models of today without any file", () =>
    Effect.gen(function* () {
      const { table } = yield* Effect.provide(
        Pricing,
        Layer.provide(PricingFile.layer, Layer.merge(modelSettings({}), NodeFileSystem.layer))
      )
      assert.deepStrictEqual(priceIn(table, "claude-opus-5-5"), { input: 4, output: 20, cacheRead: 0.2, cacheWrite: 5 })
      assert.deepStrictEqual(priceIn(table, "claude-opus-4-5-20251101"), priceIn(table, "claude-opus-5"))
      assert.deepStrictEqual(priceIn(table, "claude-opus-5-20260724"), priceIn(table, "claude-opus-5"))
      assert.deepStrictEqual(priceIn(table, "claude-haiku-4-5-20251001")?.output, 5)
      assert.deepStrictEqual(priceIn(table, "claude-sonnet-5")?.cacheRead, 0.2)
      assert.deepStrictEqual(priceIn(table, "claude-sonnet-5-5")?.cacheRead, 0.1)
    })
  )

  it.effect("knows no price for models that came later, or that are nobody's", () =>
    Effect.map(tableWith("{}"), (table) => {
      for (const model of ["claude-opus-5-6", "claude-fable-5-2", "claude-sonnet-6", "gpt-6", ""]) {
        assert.isUndefined(priceIn(table, model), model)
      }
    })
  )

  it.effect("takes nothing for a scripted conversation, unless the user says so", () =>
    Effect.gen(function* () {
      const free = priceIn(yield* tableWith("{}"), "scripted")
      assert.strictEqual(free && costOf(free, { ...tokens, inputTokens: 1e6, outputTokens: 1e6 }), 0)
      const dear = priceIn(
        yield* tableWith('{"scripted": {"input": 3, "output": 15, "cacheRead": 0.3, "cacheWrite": 3.75}}'),
        "scripted"
      )
      assert.strictEqual(dear && costOf(dear, { ...tokens, outputTokens: 1_000 }), 0.015)
    })
  )

  it.effect("adds the user's prices and lets them replace its own", () =>
    Effect.gen(function* () {
      const one = { input: 1, output: 1, cacheRead: 1, cacheWrite: 1 }
      const two = { input: 2, output: 2, cacheRead: 2, cacheWrite: 2 }
      const table = yield* tableWith(
        JSON.stringify({ "claude-opus-5-5*": one, "my-model*": two, "my-model-small": one })
      )
      assert.deepStrictEqual(priceIn(table, "claude-opus-5-5"), one)
      assert.deepStrictEqual(priceIn(table, "my-model-large"), two)
      assert.deepStrictEqual(priceIn(table, "my-model-small"), one)
      assert.strictEqual(priceIn(table, "claude-opus-5")?.input, 5)
    })
  )

  it.effect("says what is wrong with the user's file, and where", () =>
    Effect.gen(function* () {
      const negative = { input: -1, output: 1, cacheRead: 1, cacheWrite: 1 }
      assert.deepStrictEqual(yield* problemsIn(JSON.stringify({ "my-model": negative })), [
        "my-model.input: a price is a number of dollars from 0 up"
      ])
      const text = { input: "1", output: 1, cacheRead: 1, cacheWrite: 1 }
      assert.deepStrictEqual(yield* problemsIn(JSON.stringify({ "my-model": text })), [
        'my-model.input: Expected number, actual "1"'
      ])
      const typo = { input: 1, output: 1, cacheRead: 1, cache_write: 1 }
      assert.deepStrictEqual(yield* problemsIn(JSON.stringify({ "my-model": typo })), [
        'my-model.cache_write: is unexpected, expected: "input" | "output" | "cacheRead" | "cacheWrite"',
        "my-model.cacheWrite: is missing"
      ])
      assert.include((yield* problemsIn("{"))[0], "not JSON")
    })
  )

  it.effect("says which file is missing", () =>
    Effect.gen(function* () {
      const layer = Layer.provide(PricingFile.layer, [
        modelSettings({ prices: Option.some("/nonexistent/prices.json") }),
        NodeFileSystem.layer
      ])
      const error = yield* Effect.flip(Effect.provide(Pricing, layer))
      assert.include(error.message, "/nonexistent/prices.json can't be used")
    })
  )
})
