import { renderUnicodeCompact } from "uqr"
import { codeLine, type Line } from "./Line.ts"

/** More would not fit on a screen. */
const mostLetters = 300

/** For a phone's camera; nothing for a text that is too long for it. */
export const qrCode = (text: string): ReadonlyArray<Line> =>
  text.length > mostLetters
    ? []
    : renderUnicodeCompact(text, { border: 1 })
        .split("\n")
        .map((row) => codeLine(row))
