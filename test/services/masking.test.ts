import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { formsOf, maskOf, noMask } from "../../src/services/masking.ts"
import { secretOf } from "../support/secretsContract.ts"

const value = 's3cr+t/"va?ue~'
const mask = maskOf([secretOf("TOKEN", value)])

const base64 = (text: string) => Buffer.from(text).toString("base64")

describe("a mask", () => {
  it("takes out a value as it is, and as headers, URLs, JSON and dumps have it", () => {
    for (const told of [
      value,
      encodeURIComponent(value),
      new URLSearchParams({ key: value }).toString(),
      JSON.stringify({ key: value }),
      base64(value),
      base64(`user:${value}`),
      base64(`us:${value}:`),
      Buffer.from(`u:${value}`).toString("base64url"),
      Buffer.from(value).toString("hex"),
      // Seen to fail with one spelling of each: some programs write the other.
      Buffer.from(value).toString("hex").toUpperCase(),
      encodeURIComponent(value).replace(/%../g, (escape) => escape.toLowerCase()),
      JSON.stringify({ key: value }).replaceAll("/", "\\/")
    ]) {
      expect(mask.text(`before ${told} after`), told).toMatch(/^before .*\[secret TOKEN\].* after$/)
    }
  })

  // Seen to fail without the forms of a page, and with the names of quotes alone.
  it.each([
    `a&amp;b&lt;c&gt;d"e'f`,
    "a&amp;b&lt;c&gt;d&quot;e'f",
    "a&amp;b&lt;c&gt;d&quot;e&#39;f",
    "a&amp;b&lt;c&gt;d&quot;e&#x27;f",
    "a&amp;b&lt;c&gt;d&quot;e&apos;f",
    "a&amp;b&lt;c&gt;d&#34;e&#39;f"
  ])("takes out what a page has as %s", (told) => {
    const quoted = maskOf([secretOf("TOKEN", `a&b<c>d"e'f`)])
    expect(quoted.text(`<b>${told}</b>`)).toBe("<b>[secret TOKEN]</b>")
  })

  it("looks for no form of a page where a value looks the same there", () => {
    expect(formsOf("3f2504e0-4f89-41d3-9a0c-0305e82c3301").length).toBeLessThanOrEqual(9)
  })

  it("has no form that ordinary text may have", () => {
    expect(formsOf("8letters").every((form) => form.length >= 8)).toBe(true)
    expect(mask.text("nothing to see")).toBe("nothing to see")
  })

  it("costs nothing without secrets", () => {
    expect(maskOf([])).toBe(noMask)
    const text = "the same text"
    expect(noMask.text(text)).toBe(text)
    expect(noMask.pieces().push(text)).toBe(text)
  })

  it("takes the longer of two values when one begins the other", () => {
    const both = maskOf([secretOf("SHORT", "abcdefgh"), secretOf("LONG", "abcdefghijkl")])
    expect(both.text("abcdefghijkl abcdefghij")).toBe("[secret LONG] [secret SHORT]ij")
    const pieces = both.pieces()
    expect(pieces.push("abcdefgh") + pieces.push("ijkl ") + pieces.push("abcdefghij") + pieces.end()).toBe(
      "[secret LONG] [secret SHORT]ij"
    )
  })

  // Seen to fail with pieces that are masked one by one, and with the end cut at a fixed length instead of where a value may begin.
  it("finds in pieces, cut anywhere, what it finds in the whole", () => {
    const values = ["abababab", "abababcd", "aaaaaaaaab"]
    const several = maskOf(values.map((each, n) => secretOf(`S${n}`, each)))
    const part = FastCheck.oneof(
      FastCheck.constantFrom("a", "b", "c", "ab", "abab", "cd", "x"),
      FastCheck.constantFrom(...values)
    )
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(part, { maxLength: 40 }),
        FastCheck.array(FastCheck.nat(12)),
        (parts, cuts) => {
          const text = parts.join("")
          const pieces = several.pieces()
          let at = 0
          let masked = ""
          for (const cut of cuts) {
            masked += pieces.push(text.slice(at, at + cut))
            at += cut
          }
          masked += pieces.push(text.slice(at)) + pieces.end()
          expect(masked).toBe(several.text(text))
        }
      ),
      { numRuns: 2_000 }
    )
  })

  it("lets text through at once that can begin no value", () => {
    const pieces = mask.pieces()
    expect(pieces.push("ready> ")).toBe("ready> ")
    expect(pieces.push(value.slice(0, 5))).toBe("")
    expect(pieces.push("!")).toBe(`${value.slice(0, 5)}!`)
  })
})
