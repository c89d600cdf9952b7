import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { Demultiplexer } from "../../src/sandbox/Demultiplexer.ts"
import { encode, FrameReader } from "../../src/sandbox/frames.ts"

interface Frame {
  readonly type: number
  readonly id: number
  readonly body: string
}

const someFrame = FastCheck.record({
  type: FastCheck.integer({ min: 1, max: 255 }),
  id: FastCheck.integer({ min: 0, max: 0xffff_ffff }),
  body: FastCheck.string({ maxLength: 300 })
})
const frames = FastCheck.array(someFrame, { maxLength: 20 })
const cuts = FastCheck.array(FastCheck.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 20 })

const bytesOf = (all: ReadonlyArray<Frame>) =>
  Buffer.concat(all.map(({ body, id, type }) => encode(type, id, Buffer.from(body))))

/** Cut into pieces of these sizes, over and over. */
const pieces = (bytes: Buffer, sizes: ReadonlyArray<number>): ReadonlyArray<Buffer> => {
  const all: Array<Buffer> = []
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    all.push(bytes.subarray(at, at + size))
    at += size
  }
  return all
}

const reading = () => {
  const seen: Array<Frame> = []
  const reader = new FrameReader((type, id, body) => seen.push({ type, id, body: body.toString() }))
  return { seen, reader }
}

describe("frames", () => {
  it.prop("are read as they were written, however they are cut", [frames, cuts], ([written, sizes]) => {
    const { reader, seen } = reading()
    for (const piece of pieces(bytesOf(written), sizes)) assert.isTrue(reader.push(piece))
    assert.deepStrictEqual(seen, written)
  })

  it("can carry megabytes", () => {
    const { reader, seen } = reading()
    const body = "x".repeat(8 * 2 ** 20)
    for (const piece of pieces(bytesOf([{ type: 1, id: 1, body }]), [65_536])) reader.push(piece)
    assert.strictEqual(seen[0]?.body, body)
  })

  it("of impossible lengths are recognized", () => {
    for (const length of [0, 4, 0xffff_ffff]) {
      const header = Buffer.alloc(9)
      header.writeUInt32BE(length)
      const { reader, seen } = reading()
      assert.isFalse(reader.push(header))
      assert.isEmpty(seen)
    }
  })
})

describe("Demultiplexer", () => {
  const chunks = FastCheck.array(
    FastCheck.tuple(FastCheck.constantFrom(1, 2), FastCheck.uint8Array({ maxLength: 200 }))
  )

  it.prop("takes the channels apart, however the connection cuts them", [chunks, cuts], ([sent, sizes]) => {
    const wire = Buffer.concat(
      sent.map(([channel, bytes]) => {
        const header = Buffer.alloc(8)
        header[0] = channel
        header.writeUInt32BE(bytes.length, 4)
        return Buffer.concat([header, bytes])
      })
    )
    const got = new Map<number, Array<Buffer>>([
      [1, []],
      [2, []]
    ])
    const demultiplexer = new Demultiplexer((channel, bytes) => got.get(channel)?.push(bytes))
    for (const piece of pieces(wire, sizes)) demultiplexer.push(piece)
    for (const channel of [1, 2]) {
      const expected = Buffer.concat(sent.filter(([of]) => of === channel).map(([, bytes]) => bytes))
      assert.isTrue(Buffer.concat(got.get(channel) ?? []).equals(expected))
    }
  })
})
