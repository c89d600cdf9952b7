/** Text as it is written, to whoever looks on. */
import type { EventBus, Preview } from "../services/EventBus.ts"
import type { Mask } from "../services/masking.ts"

/** Where one piece of text goes; `end` brings what was held back because a secret might have begun there. */
export const showText = (
  bus: typeof EventBus.Service,
  mask: Mask,
  { item, stream }: Pick<Preview, "stream" | "item">
) => {
  const pieces = mask.pieces()
  let offset = 0
  const show = (text: string) => {
    if (text === "") return
    bus.preview({ stream, item, offset, text })
    offset += text.length
  }
  return { push: (piece: string) => show(pieces.push(piece)), end: () => show(pieces.end()) }
}
