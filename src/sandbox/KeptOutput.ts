/** An output of any length, of which the first and the last bytes are kept. */
const decoder = () => new TextDecoder()

const isContinuation = (byte: number | undefined) => byte !== undefined && (byte & 0xc0) === 0x80

export class KeptOutput {
  readonly #headLimit: number
  readonly #tailLimit: number
  #head = new Uint8Array(0)
  #headLength = 0
  /** The last bytes, written round and round; made when the head is full. */
  #ring: Uint8Array | undefined
  #ringNext = 0
  #ringLength = 0
  #total = 0

  /** Bytes to keep of the start and of the end. */
  constructor(headLimit: number, tailLimit: number) {
    this.#headLimit = headLimit
    this.#tailLimit = tailLimit
  }

  /** Keeps `limit` bytes: half from the start, half from the end. */
  static halves(limit: number): KeptOutput {
    const half = Math.max(0, Math.floor(limit / 2))
    return new KeptOutput(half, half)
  }

  /** Bytes in all, the ones that were not kept included. */
  get bytes(): number {
    return this.#total
  }

  push(chunk: Uint8Array): void {
    this.#total += chunk.length
    const forHead = Math.min(chunk.length, this.#headLimit - this.#headLength)
    if (forHead > 0) this.#pushHead(chunk.subarray(0, forHead))
    if (forHead < chunk.length) this.#pushTail(chunk.subarray(forHead))
  }

  /** Counts bytes that came after the head and before what is pushed next, and that nobody kept. */
  skip(bytes: number): void {
    this.#total += bytes
  }

  /** What was kept, with a line in its middle that says how many bytes are missing. */
  get text(): string {
    const head = this.#head.subarray(0, this.#headLength)
    const tail = this.#tail()
    const missing = this.#total - head.length - tail.length
    if (missing === 0) return decoder().decode(Buffer.concat([head, tail]))
    let start = 0
    while (start < 3 && isContinuation(tail[start])) start++
    // Decoding as a stream leaves out the character that the cut went through.
    const before = decoder().decode(head, { stream: true })
    return `${before === "" ? "" : `${before}\n`}[… ${missing} bytes left out …]\n${decoder().decode(tail.subarray(start))}`
  }

  #pushHead(chunk: Uint8Array): void {
    const length = this.#headLength + chunk.length
    if (length > this.#head.length) {
      const grown = new Uint8Array(Math.min(this.#headLimit, Math.max(length, 2 * this.#head.length)))
      grown.set(this.#head.subarray(0, this.#headLength))
      this.#head = grown
    }
    this.#head.set(chunk, this.#headLength)
    this.#headLength = length
  }

  #pushTail(chunk: Uint8Array): void {
    if (this.#tailLimit === 0) return
    this.#ring ??= new Uint8Array(this.#tailLimit)
    const kept = chunk.subarray(Math.max(0, chunk.length - this.#tailLimit))
    const beforeWrap = kept.subarray(0, this.#tailLimit - this.#ringNext)
    this.#ring.set(beforeWrap, this.#ringNext)
    this.#ring.set(kept.subarray(beforeWrap.length), 0)
    this.#ringNext = (this.#ringNext + kept.length) % this.#tailLimit
    this.#ringLength = Math.min(this.#tailLimit, this.#ringLength + kept.length)
  }

  #tail(): Uint8Array {
    if (this.#ring === undefined) return new Uint8Array(0)
    if (this.#ringLength < this.#tailLimit) return this.#ring.subarray(0, this.#ringLength)
    return Buffer.concat([this.#ring.subarray(this.#ringNext), this.#ring.subarray(0, this.#ringNext)])
  }
}
