/**
 * What goes down a socket, encoded once for everybody who gets it.
 *
 * Owns: the JSON text of frames, and joining several into one.
 */
import type { Preview, StoredEvent, StreamName } from "../../services/EventBus.ts"
import type { ServerFrame } from "../api/StreamFrames.ts"

/** Objects as JSON text, divided by commas; `whole` is the text message that carries them. */
export class Frame {
  readonly items: string
  readonly many: boolean
  private encoded: Buffer | undefined

  constructor(items: string, many: boolean) {
    this.items = items
    this.many = many
  }

  get whole(): Buffer {
    this.encoded ??= Buffer.from(this.many ? `[${this.items}]` : this.items)
    return this.encoded
  }

  static of(frame: ServerFrame): Frame {
    return new Frame(JSON.stringify(frame), false)
  }

  static join(frames: ReadonlyArray<Frame>): Frame {
    const [only] = frames
    return frames.length === 1 && only !== undefined
      ? only
      : new Frame(frames.map(({ items }) => items).join(","), true)
  }
}

/** As clients call it: their own inbox needs no name. */
export const clientName = (stream: StreamName): string => (stream.startsWith("inbox:") ? "inbox" : stream)

/** Its stored form is its wire form, so that no schema is needed on the way. */
const eventText = (name: string, { seq, at, event }: StoredEvent): string =>
  JSON.stringify({ type: "event", stream: name, seq, at, event } satisfies ServerFrame)

/** Events of one stream, in order. */
export const eventsFrame = (name: string, events: ReadonlyArray<StoredEvent>): Frame =>
  new Frame(events.map((event) => eventText(name, event)).join(","), events.length > 1)

interface Part {
  readonly last: number
  readonly frame: Frame
}

const partLength = 16 * 1024

/** Events of one stream, in order, in frames of bounded size. */
export function* eventParts(name: string, events: ReadonlyArray<StoredEvent>): Generator<Part> {
  let texts: Array<string> = []
  let length = 0
  for (const [index, event] of events.entries()) {
    const text = eventText(name, event)
    texts.push(text)
    length += text.length
    if (length >= partLength || index === events.length - 1) {
      yield { last: event.seq, frame: new Frame(texts.join(","), texts.length > 1) }
      texts = []
      length = 0
    }
  }
}

export const previewFrame = (name: string, { item, offset, text }: Preview): Frame =>
  Frame.of({ type: "preview", stream: name, item, offset, text })

export const goneFrame = (name: string): Frame =>
  Frame.of({ type: "error", stream: name, code: "not_found", message: "This task was deleted." })
