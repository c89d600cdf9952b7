import { FastCheck } from "effect"
import { expect, it } from "vitest"
import { safeLine, safeLines } from "../../src/cli/render/safeText.ts"

const esc = "\u001b"

it.each([
  ["colours", `${esc}[31mred${esc}[0m`, "red"],
  ["a moved cursor", `a${esc}[2Jb${esc}[10;10Hc`, "abc"],
  ["a window title", `a${esc}]0;owned\u0007b`, "ab"],
  ["a hyperlink", `${esc}]8;;https://evil.example${esc}\\click${esc}]8;;${esc}\\`, "click"],
  ["a title that never ends", `a${esc}]0;owned`, "a"],
  ["a clipboard write", `a${esc}]52;c;b3duZWQ=${esc}\\b`, "ab"],
  ["a device control string", `a${esc}P+q544e${esc}\\b`, "ab"],
  ["eight-bit sequences", "a\u009b31mb\u009d0;t\u0007c", "abc"],
  ["reordered text", "user\u202e\u2066nimda", "usernimda"],
  ["invisible letters", "a\u{e0061}\u{e0062}\u200bb", "ab"],
  ["bells, backspaces and NUL", "a\u0007b\u0008c\u0000d", "abcd"],
  ["a tab", "a\tb", "a  b"],
  ["a joined emoji", "\u{1f469}\u200d\u{1f4bb}", "\u{1f469}\u200d\u{1f4bb}"]
])("takes out %s", (_, text, expected) => {
  expect(safeLines(text)).toEqual([expected])
})

it("breaks lines wherever a terminal or an editor would", () => {
  expect(safeLines("a\nb\r\nc\u0085d\u2028e\u2029f")).toEqual(["a", "b", "c", "d", "e", "f"])
})

it("keeps the last state of a line that was written over", () => {
  expect(safeLines("10 %\r50 %\r100 %\r\ndone\r")).toEqual(["100 %", "done"])
})

it("makes one line of many", () => {
  expect(safeLine("  a\n\n  b \u001b[1mc  ")).toBe("a b c")
})

it("leaves no control character in any text", () => {
  const hostile = FastCheck.string({
    unit: FastCheck.oneof(
      FastCheck.constantFrom(esc, "[", "]", "P", "\\", "\u0007", "\u009b", "\u009d", "\r", "\n", "m", ";", "1"),
      FastCheck.string({ unit: "binary", minLength: 1, maxLength: 1 })
    )
  })
  FastCheck.assert(
    FastCheck.property(hostile, (text) =>
      safeLines(text).every((line) => !/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u.test(line))
    ),
    { numRuns: 500 }
  )
})
