import { expect, it } from "@effect/vitest"
import { FastCheck, Schema } from "effect"
import { byteRange } from "../../src/http/byteRange.ts"

const part = (first: number, last: number) => ({ _tag: "Part", first, last })
const whole = { _tag: "Whole" }
const unsatisfiable = { _tag: "Unsatisfiable" }

it.each([
  [undefined, 10, whole],
  ["bytes=0-3", 10, part(0, 3)],
  ["bytes=4-", 10, part(4, 9)],
  ["bytes=-3", 10, part(7, 9)],
  ["bytes=-30", 10, part(0, 9)],
  ["bytes=5-100", 10, part(5, 9)],
  ["bytes=9-9", 10, part(9, 9)],
  ["bytes=10-", 10, unsatisfiable],
  ["bytes=-0", 10, unsatisfiable],
  ["bytes=0-", 0, unsatisfiable],
  ["bytes=-5", 0, unsatisfiable],
  ["bytes=5-4", 10, whole],
  ["bytes=-", 10, whole],
  ["bytes=a-b", 10, whole],
  ["bytes=0-1,3-4", 10, whole],
  ["lines=0-1", 10, whole],
  ["bytes=0-99999999999999999999", 10, whole]
])("%s of %d bytes", (header, size, expected) => {
  expect(byteRange(header, size)).toEqual(expected)
})

it.prop("never leaves the file", [Schema.NonNegativeInt, FastCheck.string()], ([size, header]) => {
  const range = byteRange(`bytes=${header}`, size)
  if (range._tag !== "Part") return
  expect(range.first).toBeLessThanOrEqual(range.last)
  expect(range.last).toBeLessThan(size)
})
