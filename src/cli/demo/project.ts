/** The project of the demo: small enough to read in passing, with a bug that its tests know of. */

const source = `/** Splits a bill, in cents, between people: as evenly as cents allow. */
export function split(cents, people) {
  const share = Math.floor(cents / people)
  return Array.from({ length: people }, () => share)
}
`

const tests = `import assert from "node:assert/strict"
import test from "node:test"
import { split } from "../src/split.js"

test("an even bill is split evenly", () => {
  assert.deepEqual(split(900, 3), [300, 300, 300])
})

test("one person pays alone", () => {
  assert.deepEqual(split(1234, 1), [1234])
})

test("no cent is lost", () => {
  assert.deepEqual(split(1000, 3), [334, 333, 333])
})
`

const manifest = `{
  "name": "split-the-bill",
  "version": "1.0.0",
  "private": true,
  "type": "module",
  "scripts": { "test": "node --test" }
}
`

/** Paths and contents. */
export const project: ReadonlyArray<readonly [path: string, content: string]> = [
  ["package.json", manifest],
  ["README.md", "# Split the bill\n\nWho owes what after dinner. Run the tests with `npm test`.\n"],
  ["src/split.js", source],
  ["test/split.test.js", tests]
]

export const prompt =
  "One of the tests fails: find out why, and mend the code. The tests are right, so leave them alone."

export const title = "Lose no cent when a bill is split"
