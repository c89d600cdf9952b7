/**
 * What the server says on its stream, read with patience: what a later version adds is skipped, not refused.
 *
 * Owns: turning a text frame into what this version understands of it.
 */
import { Option, Schema } from "effect"
import { ServerFrame } from "../../http/api/StreamFrames.ts"

/** An event of a type that this version does not know: its number counts all the same. */
const NumberedEvent = Schema.Struct({
  type: Schema.Literal("event"),
  stream: Schema.String,
  seq: Schema.Int,
  at: Schema.String
})

/** `raw` is the frame as it came, for programs that know more. */
export type Received = { readonly raw: unknown } & (
  | { readonly _tag: "Known"; readonly frame: ServerFrame }
  | { readonly _tag: "Numbered"; readonly frame: typeof NumberedEvent.Type }
)

const decodeText = Schema.decodeUnknownOption(Schema.parseJson(Schema.Unknown))
const decodeKnown = Schema.decodeUnknownOption(ServerFrame)
const decodeNumbered = Schema.decodeUnknownOption(NumberedEvent)

const read = (raw: unknown): Option.Option<Received> =>
  Option.orElse(
    Option.map(decodeKnown(raw), (frame): Received => ({ _tag: "Known", frame, raw })),
    () => Option.map(decodeNumbered(raw), (frame): Received => ({ _tag: "Numbered", frame, raw }))
  )

/** A text frame holds one object or an array of them. */
export const readFrames = (text: string): ReadonlyArray<Received> =>
  Option.match(decodeText(text), {
    onNone: () => [],
    onSome: (value) => (Array.isArray(value) ? value : [value]).flatMap((raw) => Option.toArray(read(raw)))
  })
