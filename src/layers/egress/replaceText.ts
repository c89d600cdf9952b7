/** Texts replaced in a stream of bytes, wherever the stream is cut. */
import { Transform } from "node:stream"
import type { Replacements } from "./Ecosystem.ts"

export const replaceText = (replacements: Replacements): Transform => {
  const texts = replacements.map(([what, by]) => ({ what: Buffer.from(what), by: Buffer.from(by) }))
  const longest = Math.max(...texts.map(({ what }) => what.length))
  let rest: Buffer = Buffer.alloc(0)
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece])
      const found = texts.map((text) => ({ ...text, at: bytes.indexOf(text.what) }))
      let at = 0
      for (;;) {
        const [next] = found.filter((text) => text.at >= 0).toSorted((a, b) => a.at - b.at)
        if (next === undefined) break
        this.push(bytes.subarray(at, next.at))
        this.push(next.by)
        at = next.at + next.what.length
        for (const text of found) if (text.at >= 0 && text.at < at) text.at = bytes.indexOf(text.what, at)
      }
      // What may be the beginning of a text waits for its end.
      const safe = Math.max(at, bytes.length - longest + 1)
      this.push(bytes.subarray(at, safe))
      rest = Buffer.from(bytes.subarray(safe))
      done()
    },
    flush(done) {
      this.push(rest)
      done()
    }
  })
}
