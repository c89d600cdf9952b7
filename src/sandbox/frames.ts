/**
 * The language between the server and the runner (`runner/`): frames, each `u32 length | u8 type | u32 id | body`, big endian.
 *
 * A list in a body is `(u32 length | bytes)*`. The id is the request's; all that answers a request carries it.
 */

/** To the runner. */
export const Request = {
  /** u8 flags | u32 limits of time and of silence in ms, 0 for none | u32 bytes kept of each end | u32 argc | list(argv, names and values) */
  start: 1,
  /** Bytes of standard input; none for its end. */
  input: 2,
  /** Kills the command; it ends as usual, with `Answer.ended`. */
  kill: 3,
  /** u32 bytes of standard output that may be sent besides. */
  credit: 4,
  /** u64 offset | u32 limit | path */
  read: 5,
  /** list(path, content) */
  write: 6,
  ping: 7,
  /** Path of the tree: from now on `Answer.ended` says whether anything in it may have changed. */
  watch: 8,
  /** u64 bytes | u64 files | u64 bytes that must stay free on the disk | path of the tree: ends everything when it takes more. */
  budget: 9,
  /** Asks for `Answer.edits`. */
  tell: 10
} as const

/** From the runner. */
export const Answer = {
  /** u8, 1 when commands can't trace the runner. Comes first, with id 0. */
  ready: 0x81,
  output: 0x82,
  /** Some output of a part that is not kept. */
  preview: 0x83,
  /**
   * u8 how | u8 value | u8 `Limit` | u8 the tree may have changed since the last of these | u32 ms | u64 bytes of output |
   * the last of them, or of standard error
   */
  ended: 0x84,
  /** u32 bytes of input that may be sent besides; `noMoreInput` when the program reads no more. */
  want: 0x85,
  /** u64 size of the file | bytes */
  content: 0x86,
  /** A file was written. */
  done: 0x87,
  /** Name of an errno. */
  refused: 0x88,
  pong: 0x89,
  /** What `Request.budget` allowed has been exceeded, in words. */
  exceeded: 0x8a,
  /** u8, 0 when more may have changed than can be told | list(path, u8 `EditKind` and the file's bytes), since the last of these */
  edits: 0x8b
} as const

/** Flags of `Request.start`. */
export const Start = {
  /** Standard output is sent whole against credit, and standard error apart from it. */
  pipe: 1,
  hasInput: 2,
  previews: 4
} as const

/** `how` of `Answer.ended`; `value` is an exit code, a signal, and again an exit code. */
export const How = { exited: 0, signalled: 1, notStarted: 2 } as const

/** What has become of a file. */
export const EditKind = { gone: 0, plain: 1, executable: 2 } as const

/** The limit for which a command was killed. */
export const Limit = { none: 0, time: 1, silence: 2 } as const

/** Whether an answer says that the work tree may have changed. */
export const saysChanged = (type: number, body: Buffer): boolean =>
  type === Answer.done || (type === Answer.ended && body.readUInt8(3) !== 0)

export const noMoreInput = 0xffff_ffff

/** Bytes of standard input that may be under way unasked. */
export const inputWindow = 256 * 1024

const headerBytes = 9
/** Bytes of one frame; more can only be nonsense. */
const mostBytes = 9 * 2 ** 20

export const encode = (type: number, id: number, ...body: ReadonlyArray<Uint8Array>): Buffer => {
  const header = Buffer.alloc(headerBytes)
  header.writeUInt32BE(
    body.reduce((sum, part) => sum + part.length, headerBytes - 4),
    0
  )
  header[4] = type
  header.writeUInt32BE(id, 5)
  return Buffer.concat([header, ...body])
}

export const u32 = (...values: ReadonlyArray<number>): Buffer => {
  const bytes = Buffer.alloc(4 * values.length)
  values.forEach((value, index) => bytes.writeUInt32BE(value, 4 * index))
  return bytes
}

export const u64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

export const list = (items: ReadonlyArray<string | Uint8Array>): ReadonlyArray<Uint8Array> =>
  items.flatMap((item) => {
    const bytes = typeof item === "string" ? Buffer.from(item) : item
    return [u32(bytes.length), bytes]
  })

/** The items of a list that fills the rest of a body; undefined when it is none. */
export const readList = (body: Buffer): ReadonlyArray<Buffer> | undefined => {
  const items: Array<Buffer> = []
  for (let at = 0; at < body.length;) {
    if (body.length - at < 4) return undefined
    const end = at + 4 + body.readUInt32BE(at)
    if (end > body.length) return undefined
    items.push(body.subarray(at + 4, end))
    at = end
  }
  return items
}

export type OnFrame = (type: number, id: number, body: Buffer) => void

/** Puts frames together from pieces of any size, without copying what came whole. */
export class FrameReader {
  #parts: Array<Buffer> = []
  #length = 0
  #needed = headerBytes
  readonly #onFrame: OnFrame

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame
  }

  /** False when this can't be a frame: what follows makes no sense either. */
  push(piece: Buffer): boolean {
    this.#parts.push(piece)
    this.#length += piece.length
    if (this.#length < this.#needed) return true
    const bytes = this.#parts.length === 1 ? piece : Buffer.concat(this.#parts, this.#length)
    let at = 0
    this.#needed = headerBytes
    while (bytes.length - at >= headerBytes) {
      const length = bytes.readUInt32BE(at)
      if (length < headerBytes - 4 || length > mostBytes) return false
      this.#needed = 4 + length
      if (bytes.length - at < this.#needed) break
      const end = at + this.#needed
      this.#onFrame(bytes.readUInt8(at + 4), bytes.readUInt32BE(at + 5), bytes.subarray(at + headerBytes, end))
      at = end
      this.#needed = headerBytes
    }
    this.#parts = at < bytes.length ? [bytes.subarray(at)] : []
    this.#length = bytes.length - at
    return true
  }
}
