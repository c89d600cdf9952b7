import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { KeptOutput } from "../../src/sandbox/KeptOutput.ts"

const keep = (kept: KeptOutput, chunks: ReadonlyArray<Uint8Array>) => {
  for (const chunk of chunks) kept.push(chunk)
  return kept
}

const chunksOf = FastCheck.array(FastCheck.uint8Array({ maxLength: 40 }), { maxLength: 40 })

describe("KeptOutput", () => {
  it.prop(
    "keeps both ends, however the output is cut into pieces",
    [chunksOf, FastCheck.nat({ max: 60 })],
    ([chunks, limit]) => {
      const letters = chunks.map((chunk) => chunk.map((byte) => 97 + (byte % 26)))
      const all = Buffer.concat(letters)
      const half = Math.floor(limit / 2)
      const { bytes, text } = keep(KeptOutput.halves(limit), letters)
      assert.strictEqual(bytes, all.length)
      if (all.length <= 2 * half) assert.strictEqual(text, all.toString())
      else {
        const head = half === 0 ? "" : `${all.subarray(0, half).toString()}\n`
        const tail = all.subarray(all.length - half).toString()
        assert.strictEqual(text, `${head}[… ${all.length - 2 * half} bytes left out …]\n${tail}`)
      }
    }
  )

  it("cuts between characters", () => {
    const { text } = keep(KeptOutput.halves(10), [Buffer.from("aüüüüüüüüb")])
    assert.strictEqual(text, "aüü\n[… 8 bytes left out …]\nüüb")
    const wide = keep(KeptOutput.halves(10), [Buffer.from("😀😀😀😀😀")])
    assert.strictEqual(wide.text, "😀\n[… 10 bytes left out …]\n😀")
  })

  it("joins characters that came in two pieces", () => {
    const bytes = Buffer.from("ü")
    assert.strictEqual(keep(KeptOutput.halves(100), [bytes.subarray(0, 1), bytes.subarray(1)]).text, "ü")
    assert.strictEqual(keep(KeptOutput.halves(2), [bytes.subarray(0, 1), bytes.subarray(1)]).text, "ü")
  })

  it("counts what somebody else left out", () => {
    const kept = new KeptOutput(3, 3)
    kept.push(Buffer.from("abc"))
    kept.skip(1_000)
    kept.push(Buffer.from("xyz"))
    assert.strictEqual(kept.bytes, 1_006)
    assert.strictEqual(kept.text, "abc\n[… 1000 bytes left out …]\nxyz")
  })

  it("keeps the last bytes alone", () => {
    assert.strictEqual(keep(new KeptOutput(0, 4), [Buffer.from("a complaint")]).text, "[… 7 bytes left out …]\naint")
  })
})
