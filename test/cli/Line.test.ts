import { stripVTControlCharacters } from "node:util"
import { FastCheck } from "effect"
import { expect, it } from "vitest"
import { codeLine, hanging, indented, layOut, line, span, textOf } from "../../src/cli/render/Line.ts"
import { cut, widthOf } from "../../src/cli/render/width.ts"

const letters = (text: string) => text.replace(/ /gu, "")

const plain = (columns: number | undefined) => ({ columns, color: false })

it("counts columns, not characters", () => {
  expect(["abc", "né", "ne\u0301", "日本", "👩‍💻", "한"].map(widthOf)).toEqual([3, 2, 2, 4, 2, 2])
})

it("cuts between characters", () => {
  expect([cut("abcdef", 4), cut("日本語", 5), cut("日本語", 4), cut("abc", 3), cut("abc", 1), cut("abc", 0)]).toEqual([
    "abc…",
    "日本…",
    "日…",
    "abc",
    "…",
    ""
  ])
})

it("breaks prose between words, and goes on at the same indent", () => {
  const [told = line()] = indented(2, [line("one two three four five six seven")])
  expect(layOut(told, plain(30))).toEqual(["  one two three four five six", "  seven"])
  expect(layOut(hanging(2, told), plain(30))).toEqual(["  one two three four five six", "    seven"])
})

it("breaks a word that is longer than the screen", () => {
  expect(layOut(line("abcdefghijklmnopqrstuvwxyz"), plain(20))).toEqual(["abcdefghijklmnopqrst", "uvwxyz"])
})

it("cuts code", () => {
  expect(layOut(codeLine(span("const ", "quiet"), "answer = forty + two"), plain(12))).toEqual(["const answe…"])
})

it("does not touch lines that go into a file", () => {
  const long = "word ".repeat(60).trim()
  expect(layOut(codeLine(long), plain(undefined))).toEqual([long])
})

it("closes every colour where it ends", () => {
  const [painted] = layOut(line("a ", span("b", "bad"), " c"), { columns: 80, color: true })
  expect(painted).toBe("a \u001b[31mb\u001b[39m c")
})

it("fits every line into every screen, and loses no word of prose", () => {
  const words = FastCheck.array(
    FastCheck.string({ unit: "grapheme", minLength: 1, maxLength: 30 }).map((text) =>
      text.replace(/[\s\p{C}\p{M}]/gu, "x")
    ),
    { minLength: 1 }
  )
  FastCheck.assert(
    FastCheck.property(words, FastCheck.integer({ min: 20, max: 120 }), FastCheck.nat(4), (texts, columns, indent) => {
      const prose = line(...texts.map((text) => span(`${text} `, "good")))
      const [told] = indented(indent, [prose])
      if (told === undefined) return false
      const rows = layOut(told, { columns, color: true }).map(stripVTControlCharacters)
      return rows.every((row) => widthOf(row.trimEnd()) <= columns) && letters(rows.join("")) === letters(textOf(prose))
    })
  )
})
