import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { excerpt, excerptLimit, firstBytes, fitContent, fitInput, lastBytes } from "../../src/services/excerpts.ts"
import { toolCallId } from "../support/someTasks.ts"

const encode = (text: string) => new TextEncoder().encode(text)
const sizeOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value))

/** Texts of characters of one to four bytes, without halves of characters. */
const texts = FastCheck.array(FastCheck.constantFrom("a", "é", "€", "𝄞", "\n"), { maxLength: 60 }).map((all) =>
  all.join("")
)

describe("firstBytes, lastBytes", () => {
  it("give as many whole characters as fit", () => {
    FastCheck.assert(
      FastCheck.property(texts, FastCheck.nat(80), (text, limit) => {
        const [first, last] = [firstBytes(encode(text), limit), lastBytes(encode(text), limit)]
        assert.isTrue(text.startsWith(first))
        assert.isTrue(text.endsWith(last))
        for (const part of [first, last]) {
          assert.isAtMost(Buffer.byteLength(part), limit)
          // At most three bytes of one character had no room.
          assert.isAtLeast(Buffer.byteLength(part), Math.min(limit - 3, Buffer.byteLength(text)))
        }
      })
    )
  })
})

describe("excerpt", () => {
  it("keeps short texts whole, of longer ones head and tail, and counts all bytes", () => {
    FastCheck.assert(
      FastCheck.property(texts, FastCheck.nat(400), (text, times) => {
        const long = text.repeat(times)
        const { bytes, head, tail } = excerpt(long)
        assert.strictEqual(bytes, Buffer.byteLength(long))
        if (bytes <= excerptLimit) assert.deepStrictEqual([head, tail], [long, ""])
        else {
          assert.isTrue(long.startsWith(head) && long.endsWith(tail) && tail !== "")
          assert.isAtMost(Buffer.byteLength(head + tail), excerptLimit)
        }
      })
    )
  })

  it("is whole at the limit and cut one byte above it", () => {
    assert.strictEqual(excerpt("x".repeat(excerptLimit)).tail, "")
    assert.strictEqual(excerpt("x".repeat(excerptLimit + 1)).head.length, 2000)
  })
})

describe("fitInput", () => {
  it("leaves what fits as it is", () => {
    const input = { path: "a", lines: [1, 2, null], deep: { x: true } }
    assert.deepStrictEqual(fitInput(input), { input })
  })

  it("shortens long texts wherever they are, and says so", () => {
    const { input, truncated } = fitInput({ path: "a", edits: [{ text: "x".repeat(50_000) }] })
    assert.isTrue(truncated)
    assert.include(JSON.stringify(input), "50000 bytes in all")
    assert.include(JSON.stringify(input), '"path":"a"')
  })

  it("is bounded for any JSON", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.jsonValue({ maxDepth: 5 }), FastCheck.nat(300), (value, times) => {
        const many = Array.from({ length: times }, (_, index) => [`key${index}`, [value, "y".repeat(times * 30)]])
        assert.isAtMost(sizeOf(fitInput(Object.fromEntries(many)).input), excerptLimit)
      })
    )
  })
})

describe("fitContent", () => {
  it("leaves a message that fits as it is", () => {
    const content = [{ type: "text", text: "hello" }] as const
    assert.deepStrictEqual(fitContent(content), { content })
  })

  it("shortens each block of a long one in its own way", () => {
    const long = "z".repeat(30_000)
    const { content, truncated } = fitContent([
      { type: "text", text: long },
      { type: "thinking", thinking: long, signature: "s" },
      { type: "redacted_thinking", data: long },
      { type: "tool_use", id: toolCallId("t"), name: "write_file", input: { path: "a", text: long } },
      { type: "tool_result", tool_use_id: toolCallId("t"), content: long, is_error: true }
    ])
    assert.isTrue(truncated)
    assert.deepStrictEqual(
      content.map(({ type }) => type),
      ["text", "thinking", "redacted_thinking", "tool_use", "tool_result"]
    )
    assert.isAtMost(sizeOf(content), excerptLimit)
    assert.isAbove(sizeOf(content), excerptLimit / 4)
    assert.deepInclude(content[4], { is_error: true, tool_use_id: toolCallId("t") })
  })

  it("is bounded for any number of blocks", () => {
    for (const count of [1, 4, 16, 40, 500]) {
      for (const length of [10, 500, 9_000, 100_000]) {
        const texts = Array.from({ length: count }, () => ({ type: "text" as const, text: '"\n'.repeat(length / 2) }))
        const calls = Array.from({ length: count }, (_, index) => ({
          type: "tool_use" as const,
          id: toolCallId(`toolu_${index}`.padEnd(40, "x")),
          name: "write_file",
          input: { path: "a".repeat(100), content: "x".repeat(length) }
        }))
        for (const content of [texts, calls, [...texts, ...calls]]) {
          const cut = fitContent(content)
          assert.isAtMost(sizeOf(cut.content), excerptLimit, `${count} of ${length}`)
          assert.isNotEmpty(cut.content)
        }
      }
    }
  })
})
