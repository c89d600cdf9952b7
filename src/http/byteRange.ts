/**
 * Byte ranges (RFC 9110, section 14), one at a time.
 */

/** `first` and `last` are positions of bytes, both inclusive. */
export type ByteRange =
  | { readonly _tag: "Whole" }
  | { readonly _tag: "Part"; readonly first: number; readonly last: number }
  | { readonly _tag: "Unsatisfiable" }

const single = /^bytes=(\d{0,15})-(\d{0,15})$/

/** What a `Range` header asks of `size` bytes. Headers that are malformed or name several ranges ask for the whole. */
export const byteRange = (header: string | undefined, size: number): ByteRange => {
  const [match, from = "", to = ""] = header === undefined ? [] : (single.exec(header.trim()) ?? [])
  if (match === undefined || (from === "" && to === "")) return { _tag: "Whole" }
  if (from === "") {
    const length = Math.min(Number(to), size)
    return length === 0 ? { _tag: "Unsatisfiable" } : { _tag: "Part", first: size - length, last: size - 1 }
  }
  const first = Number(from)
  const last = to === "" ? size - 1 : Math.min(Number(to), size - 1)
  if (to !== "" && Number(to) < first) return { _tag: "Whole" }
  return first >= size ? { _tag: "Unsatisfiable" } : { _tag: "Part", first, last }
}
