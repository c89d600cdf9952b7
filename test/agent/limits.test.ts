import { describe, expect, it } from "@effect/vitest"
import { FastCheck, Option } from "effect"
import * as Limits from "../../src/agent/limits.ts"
import { costOf, type Price, priceOf } from "../../src/services/Pricing.ts"

const price: Price = { input: 3, output: 15, cacheRead: 0.3, cacheWrite: 3.75 }

describe("affordableTokens", () => {
  it.prop(
    "never lets the worst case of a request cost more than is left",
    [FastCheck.double({ min: 0, max: 10, noNaN: true }), FastCheck.integer({ min: 0, max: 200_000 })],
    ([left, input]) => {
      const tokens = Limits.affordableTokens(price, left, input)
      if (Option.isNone(tokens)) return
      const worst = { inputTokens: 0, outputTokens: tokens.value, cacheReadTokens: 0, cacheWriteTokens: input }
      expect(costOf(price, worst)).toBeLessThanOrEqual(left + 1e-9)
      expect(tokens.value).toBeGreaterThanOrEqual(Limits.minOutputTokens)
      expect(tokens.value).toBeLessThanOrEqual(Limits.maxOutputTokens)
    }
  )

  it("gives nothing when the rest pays for less than a useful answer", () => {
    const oneAnswer = (Limits.minOutputTokens * price.output) / 1e6
    expect(Option.isSome(Limits.affordableTokens(price, oneAnswer + 1e-9, 0))).toBe(true)
    expect(Option.isNone(Limits.affordableTokens(price, oneAnswer - 1e-5, 0))).toBe(true)
  })

  it("asks for the usual size when the model costs nothing", () => {
    const free: Price = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 }
    expect(Limits.affordableTokens(free, 0, 1_000)).toEqual(Option.some(Limits.maxOutputTokens))
  })
})

describe("priceOf", () => {
  const table = { "claude-x": price, "claude-*": { ...price, input: 1 }, "claude-big-*": { ...price, input: 2 } }

  it("prefers the model's own entry, then the longest family", () => {
    expect(priceOf(table, "claude-x")).toEqual(Option.some(price))
    expect(Option.map(priceOf(table, "claude-big-2"), (_) => _.input)).toEqual(Option.some(2))
    expect(Option.map(priceOf(table, "claude-small"), (_) => _.input)).toEqual(Option.some(1))
    expect(priceOf(table, "other")).toEqual(Option.none())
  })
})
