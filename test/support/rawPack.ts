/** Packs byte by byte, as git's own commands would not make them. */
import { createHash } from "node:crypto"
import { deflateSync } from "node:zlib"

type Kind = "commit" | "tree" | "blob"
const types = { commit: 1, tree: 2, blob: 3, delta: 7 } as const

export const idOf = (kind: Kind, content: Buffer): string =>
  createHash("sha1").update(`${kind} ${content.length}\0`).update(content).digest("hex")

/** Type and size, seven bits a byte but for the first. */
const header = (type: number, size: number) => {
  const bytes: Array<number> = []
  let byte = type * 16 + (size % 16)
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 128)) {
    bytes.push(byte + 128)
    byte = rest % 128
  }
  return Buffer.from([...bytes, byte])
}

export const entry = (kind: Kind, content: Buffer): Buffer =>
  Buffer.concat([header(types[kind], content.length), deflateSync(content)])

/** An object as a difference to another one. */
export const delta = (base: string, bytes: Buffer): Buffer =>
  Buffer.concat([header(types.delta, bytes.length), Buffer.from(base, "hex"), deflateSync(bytes)])

type Copy = readonly [offset: number, length: number]

export const repeats = (length: number, times: number): ReadonlyArray<Copy> =>
  Array.from({ length: times }, () => [0, length] as const)

const size = (value: number) => {
  const bytes: Array<number> = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Buffer.from([...bytes, rest])
}

/** A difference that only copies pieces of its base, each shorter than 64 kB; and the id of the blob that it makes. */
export const deltaOf = (base: Buffer, copies: ReadonlyArray<Copy>): { readonly bytes: Buffer; readonly id: string } => {
  const result = Buffer.concat(copies.map(([offset, length]) => base.subarray(offset, offset + length)))
  const orders = copies.map(([offset, length]) => {
    const bytes = Buffer.alloc(6)
    // Three bytes of offset and two of length follow.
    bytes[0] = 0b1011_0111
    bytes.writeUIntLE(offset, 1, 3)
    bytes.writeUInt16LE(length, 4)
    return bytes
  })
  return { bytes: Buffer.concat([size(base.length), size(result.length), ...orders]), id: idOf("blob", result) }
}

export const commitOf = (tree: string, parent: string): Buffer =>
  Buffer.from(`tree ${tree}\nparent ${parent}\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\nx\n`)

/** `count` is what the pack says of the number of its objects. */
export const packWith = (entries: ReadonlyArray<Buffer>, count = entries.length): Uint8Array => {
  const head = Buffer.alloc(12)
  head.write("PACK")
  head.writeUInt32BE(2, 4)
  head.writeUInt32BE(count, 8)
  const body = Buffer.concat([head, ...entries])
  return new Uint8Array(Buffer.concat([body, createHash("sha1").update(body).digest()]))
}
