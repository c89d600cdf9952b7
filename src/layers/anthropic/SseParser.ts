/**
 * Server-sent events out of text that arrives in pieces.
 *
 * Own code for the hot path: @effect/experimental's parser takes time in the square of a packet's length (14 ms for 200
 * events in one), and the SDK's costs a promise for each event and hides the signs of life between them.
 */
export class SseParser {
  readonly #longest: number
  readonly #tell: (name: string, data: string) => void
  #rest = ""
  #name = ""
  #data: Array<string> = []
  #dataLength = 0

  /** `longest`: characters of one event. */
  constructor(longest: number, tell: (name: string, data: string) => void) {
    this.#longest = longest
    this.#tell = tell
  }

  /** Tells every event that is complete now. False when one is too long. */
  feed(piece: string): boolean {
    const { known, text } = this.#join(piece)
    let start = 0
    for (let end = text.indexOf("\n", known); end >= 0; end = text.indexOf("\n", start)) {
      this.#line(text, start, end)
      start = end + 1
    }
    this.#rest = text.slice(start) + this.#rest
    return this.#rest.length + this.#dataLength <= this.#longest
  }

  /** The line that waited and the new piece, with plain line ends; `known` characters hold no line end. */
  #join(piece: string): { readonly text: string; readonly known: number } {
    const text = this.#rest + piece
    const known = this.#rest.length
    this.#rest = ""
    if (!text.includes("\r")) return { text, known }
    // A last one may be half of a line end.
    if (text.endsWith("\r")) this.#rest = "\r"
    return { text: text.slice(0, text.length - this.#rest.length).replace(/\r\n?/g, "\n"), known: 0 }
  }

  #line(text: string, start: number, end: number) {
    if (start === end) return this.#dispatch()
    const colon = text.indexOf(":", start)
    if (colon < 0 || colon > end) return
    const field = text.slice(start, colon)
    const value = text.slice(text.charAt(colon + 1) === " " ? colon + 2 : colon + 1, end)
    if (field === "event") this.#name = value
    if (field !== "data") return
    this.#data.push(value)
    this.#dataLength += value.length
  }

  #dispatch() {
    const name = this.#name
    const data = this.#data
    this.#name = ""
    this.#data = []
    this.#dataLength = 0
    if (data.length > 0) this.#tell(name, data.join("\n"))
  }
}
