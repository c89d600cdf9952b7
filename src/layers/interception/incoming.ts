/**
 * Answers on their way in: values become placeholders again, so that a host which repeats what it was sent tells nobody.
 */
import type { IncomingMessage } from "node:http"
import { Transform } from "node:stream"
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib"
import type { Mask } from "../../services/masking.ts"
import { endToEnd, type RawHeaders } from "./outgoing.ts"

/** Asked for without an encoding, some hosts use one all the same. */
const decoders: Readonly<Record<string, () => Transform>> = {
  gzip: () => createGunzip(),
  "x-gzip": () => createGunzip(),
  deflate: () => createInflate(),
  br: () => createBrotliDecompress()
}

export interface Incoming {
  readonly headers: RawHeaders
  /** What its body goes through, in this order. */
  readonly steps: ReadonlyArray<Transform>
}

/** Bytes as characters, one each: values are ASCII, whatever the text around them is. */
const masking = (mask: Mask): Transform => {
  const pieces = mask.pieces()
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      done(null, Buffer.from(pieces.push(chunk.toString("latin1")), "latin1"))
    },
    flush(done) {
      done(null, Buffer.from(pieces.end(), "latin1"))
    }
  })
}

const ofTheTransfer = new Set(["transfer-encoding"])

/** The length is another one after masking; the encoding is taken off for it. */
const ofTheBody = new Set([
  "content-length",
  "content-encoding",
  "transfer-encoding",
  "content-md5",
  "digest",
  "accept-ranges"
])

/** Undefined for an encoding that can't be looked into. */
export const incoming = (answer: IncomingMessage, method: string | undefined, mask: Mask): Incoming | undefined => {
  const kept = endToEnd(answer.rawHeaders)
  const headersBut = (left: ReadonlySet<string>) =>
    kept.flatMap(({ key, name, value }) => (left.has(key) ? [] : [mask.text(name), mask.text(value)]))
  const { statusCode = 0 } = answer
  if (method === "HEAD" || statusCode === 204 || statusCode === 304) {
    return { headers: headersBut(ofTheTransfer), steps: [] }
  }
  const encodings = (answer.headers["content-encoding"] ?? "").toLowerCase().split(/[\s,]+/)
  const coded = encodings.filter((encoding) => encoding !== "" && encoding !== "identity")
  const unpacking = coded.toReversed().map((encoding) => decoders[encoding]?.())
  // Some layers hide the value from the mask below them: bounded, and none that is not known.
  if (unpacking.length > 2 || unpacking.some((step) => step === undefined)) return undefined
  return {
    headers: headersBut(ofTheBody),
    steps: [...unpacking.filter((step) => step !== undefined), masking(mask)]
  }
}
