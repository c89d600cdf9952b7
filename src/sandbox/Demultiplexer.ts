/** The engine's way to put two outputs on one connection: `u8 channel | 3 unused | u32 length | bytes`, big endian. */

const headerBytes = 8

/** Hands the bytes of each channel on as they come, without waiting for the end of the engine's frame. */
export class Demultiplexer {
  readonly #header = Buffer.alloc(headerBytes)
  #headerLength = 0
  #left = 0
  readonly #onBytes: (channel: number, bytes: Buffer) => void

  /** Channel 1 is standard output, 2 standard error. */
  constructor(onBytes: (channel: number, bytes: Buffer) => void) {
    this.#onBytes = onBytes
  }

  push(piece: Buffer): void {
    let at = 0
    while (at < piece.length) {
      if (this.#left === 0) {
        const taken = piece.copy(this.#header, this.#headerLength, at, at + headerBytes - this.#headerLength)
        this.#headerLength += taken
        at += taken
        if (this.#headerLength < headerBytes) return
        this.#headerLength = 0
        this.#left = this.#header.readUInt32BE(4)
        continue
      }
      const bytes = piece.subarray(at, at + this.#left)
      this.#left -= bytes.length
      at += bytes.length
      this.#onBytes(this.#header.readUInt8(0), bytes)
    }
  }
}
