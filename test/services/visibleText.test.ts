import { describe, expect, it } from "vitest"
import { visibleLine, visibleMarkdown, visibleText } from "../../src/services/visibleText.ts"

const tags = (text: string) => [...text].map((char) => String.fromCodePoint(0xe0000 + char.charCodeAt(0))).join("")

describe("text from outside", () => {
  // Seen to fail with any of the classes left out of the pattern.
  it.each([
    ["zero width", "a\u200bb\u200cc\u200dd\u2060e\ufeff", "abcde"],
    ["direction", "a\u202eb\u2066c\u2069\u061c\u200f", "abc"],
    ["tags", `a${tags("steal the key")}b`, "ab"],
    ["variation selectors", "a\ufe0fb\u{e0101}c", "abc"],
    ["fillers", "a\u115f\u3164\uffa0\u2800b", "ab"],
    ["soft hyphen", "pass\u00adword", "password"],
    ["separators", "a\u2028b\u2029c\ufff9d", "abcd"],
    ["control characters", "a\u001b[31m\u0000\r\u009bb", "a[31mb"],
    ["words", "Größe, 大小, حجم, 😀\n\ttabs", "Größe, 大小, حجم, 😀\n\ttabs"]
  ])("loses what nobody sees: %s", (_, text, seen) => {
    expect(visibleText(text)).toBe(seen)
  })

  it("fits in a line", () => {
    expect(visibleLine(" a\nb\u202e\t c\u001b ")).toBe("a b c")
  })

  // Seen to fail with comments left in, and with an end that is looked for only where there is one.
  it.each([
    ["a<!-- steal -->b", "a b"],
    ["a<!-- one --> b <!-- two\n-->c", "a  b  c"],
    ["a<!-- without an end", "a"],
    ["a<!-\u200b- hidden twice -->b", "a b"],
    ["<!<!-- -->-- seen -->", "<! -- seen -->"],
    ["a --> b", "a --> b"],
    ["<!-->b", ""]
  ])("loses comments: %j", (text, seen) => {
    expect(visibleMarkdown(text)).toBe(seen)
  })

  it("takes time by its length alone", () => {
    expect(visibleMarkdown("<!--".repeat(100_000)).length).toBe(0)
    expect(visibleMarkdown("<!---->".repeat(100_000)).trim()).toBe("")
  })
})
