/**
 * The first words of a TLS client: enough of RFC 8446 to see whom a tunnel is for.
 */

const handshakeRecord = 22
const clientHelloMessage = 1
const serverNameExtension = 0
const hostNameType = 0
const encryptedHelloExtension = 0xfe0d

export interface ClientHello {
  /** As it was sent; undefined when the client names no server. */
  readonly serverName: string | undefined
  /** The client may mean another server than the one that it names in clear. */
  readonly isEncrypted: boolean
}

/** Reads big-endian numbers and blocks; out of bounds it gives what ends the parsing. */
class Cursor {
  readonly #bytes: Buffer
  #at = 0
  /** Something reached beyond the end. */
  failed = false

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.failed ? 0 : this.#bytes.length - this.#at
  }

  number(size: 1 | 2 | 3): number {
    const block = this.take(size)
    return this.failed ? 0 : block.readUIntBE(0, size)
  }

  /** A block with its length before it. */
  block(sizeOfLength: 1 | 2 | 3): Buffer {
    return this.take(this.number(sizeOfLength))
  }

  take(length: number): Buffer {
    if (length > this.left) {
      this.failed = true
      return Buffer.alloc(0)
    }
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}

/** A hello fits into one. All are read again with each byte that comes, by a server that others wait for. */
const mostRecords = 16

/** The handshake that the records at the beginning carry, as far as it has come; null when these are no such records. */
const handshakeOf = (bytes: Buffer): Buffer | null => {
  const pieces: Array<Buffer> = []
  for (let at = 0; at < bytes.length;) {
    if (bytes[at] !== handshakeRecord || (bytes[at + 1] ?? 3) !== 3 || (bytes[at + 2] ?? 0) > 4) return null
    if (bytes.length < at + 5) break
    if (pieces.length === mostRecords) return null
    const length = bytes.readUInt16BE(at + 3)
    if (length === 0 || length > 2 ** 14) return null
    pieces.push(bytes.subarray(at + 5, at + 5 + length))
    at += 5 + length
  }
  return Buffer.concat(pieces)
}

/** What the bytes that have come so far say: `more` while they are the beginning of a hello, null when they are none. */
export const readClientHello = (bytes: Buffer): ClientHello | "more" | null => {
  const handshake = handshakeOf(bytes)
  if (handshake === null) return null
  if (handshake.length > 0 && handshake[0] !== clientHelloMessage) return null
  if (handshake.length < 4 || handshake.length < 4 + handshake.readUIntBE(1, 3)) return "more"
  const hello = new Cursor(handshake.subarray(4, 4 + handshake.readUIntBE(1, 3)))
  hello.take(2 + 32)
  hello.block(1)
  hello.block(2)
  hello.block(1)
  const extensions = new Cursor(hello.left === 0 ? Buffer.alloc(0) : hello.block(2))
  if (hello.failed || hello.left > 0) return null
  let serverName: string | undefined
  let isEncrypted = false
  const seen = new Set<number>()
  while (extensions.left > 0) {
    const type = extensions.number(2)
    const body = extensions.block(2)
    if (extensions.failed || seen.has(type)) return null
    seen.add(type)
    if (type === encryptedHelloExtension) isEncrypted = true
    if (type !== serverNameExtension) continue
    const names = new Cursor(new Cursor(body).block(2))
    const isHostName = names.number(1) === hostNameType
    const name = names.block(2)
    if (names.failed || !isHostName || names.left > 0 || body.length !== name.length + 5) return null
    serverName = name.toString("latin1")
  }
  return { serverName, isEncrypted }
}
