import { describe, expect, it } from "@effect/vitest"
import { Frame } from "../../../src/http/stream/Frame.ts"
import { behindBytes, Outbox, type Wire } from "../../../src/http/stream/Outbox.ts"

/** A socket whose client reads when it is told to. */
class ManualWire implements Wire {
  readonly sent: Array<string> = []
  private readonly unread: Array<{ readonly bytes: number; readonly done: () => void }> = []

  get bufferedAmount() {
    return this.unread.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  send(data: Buffer, _: { readonly binary: false }, done: () => void) {
    this.sent.push(data.toString())
    this.unread.push({ bytes: data.length, done })
  }

  readOne() {
    this.unread.shift()?.done()
  }

  readAll() {
    while (this.unread.length > 0) this.readOne()
  }
}

const frame = (value: unknown) => new Frame(JSON.stringify(value), false)

const objects = (wire: ManualWire) => wire.sent.flatMap((text) => JSON.parse(text))

describe("an outbox", () => {
  it("sends at once while the client keeps up", () => {
    const wire = new ManualWire()
    const outbox = new Outbox(wire)
    outbox.push(frame({ n: 1 }))
    outbox.push(frame({ n: 2 }))
    expect(wire.sent).toEqual(['{"n":1}', '{"n":2}'])
  })

  it("joins what waits, keeps the order, and loses nothing", () => {
    const wire = new ManualWire()
    const outbox = new Outbox(wire)
    const text = "x".repeat(1000)
    for (let n = 0; n < 300; n++) outbox.push(frame({ n, text }))
    expect(wire.sent.length).toBeLessThan(20)
    wire.readAll()
    expect(objects(wire).map(({ n }) => n)).toEqual(Array.from({ length: 300 }, (_, n) => n))
    expect(Math.max(...wire.sent.map(({ length }) => length))).toBeLessThan(20_000)
    expect(outbox.bytes).toBe(0)
  })

  it("joins frames of many objects into one list", () => {
    const wire = new ManualWire()
    const outbox = new Outbox(wire)
    outbox.push(frame("x".repeat(20_000)))
    outbox.push(new Frame('{"n":1},{"n":2}', true))
    outbox.push(frame({ n: 3 }))
    wire.readAll()
    expect(JSON.parse(wire.sent[1] ?? "")).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
  })

  it("counts every byte that the client has not taken", () => {
    const wire = new ManualWire()
    const outbox = new Outbox(wire)
    for (let n = 0; n < 100; n++) outbox.push(frame("x".repeat(998)))
    expect(outbox.bytes).toBe(100_000)
  })

  it("tells when the client keeps up again, not before", () => {
    const wire = new ManualWire()
    const outbox = new Outbox(wire)
    for (let n = 0; n < 200; n++) outbox.push(frame("x".repeat(998)))
    let drained = false
    outbox.whenDrained(() => (drained = true))
    while (outbox.bytes - 20_000 > behindBytes) wire.readOne()
    expect(drained).toBe(false)
    wire.readAll()
    expect(drained).toBe(true)
  })

  it("lets nobody wait for a client that is gone", () => {
    const wire = new ManualWire()
    const outbox = new Outbox(wire)
    for (let n = 0; n < 200; n++) outbox.push(frame("x".repeat(998)))
    let drained = false
    outbox.whenDrained(() => (drained = true))
    outbox.close()
    expect(drained).toBe(true)
    const { length } = wire.sent
    outbox.push(frame(1))
    expect(wire.sent.length).toBe(length)
  })
})
