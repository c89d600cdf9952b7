/**
 * Cutting texts to head and tail, so that an event stays small while the whole is kept behind a route.
 *
 * Owns: the sizes and the cutting, never in the middle of a character.
 * Does not own: where the whole text is stored.
 */
import type { ContentBlock } from "./Message.ts"
import type { Excerpt } from "./TaskEvent.ts"

/** A body up to this many bytes stands whole in an event. */
export const excerptLimit = 8_000

/** Of the bytes that stand of a longer text, a quarter is from its beginning: what matters of an output is its end. */
const headShare = 1 / 4

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const isContinuation = (byte: number | undefined) => byte !== undefined && (byte & 0xc0) === 0x80

/** The first `limit` bytes of a text, less the part of a character that the limit would cut. */
export const firstBytes = (bytes: Uint8Array, limit: number): string => {
  if (bytes.length <= limit) return decoder.decode(bytes)
  let end = limit
  while (end > 0 && isContinuation(bytes[end])) end--
  return decoder.decode(bytes.subarray(0, end))
}

/** The last `limit` bytes of a text, less the part of a character that the limit would cut. */
export const lastBytes = (bytes: Uint8Array, limit: number): string => {
  if (bytes.length <= limit) return decoder.decode(bytes)
  let start = bytes.length - limit
  while (start < bytes.length && isContinuation(bytes[start])) start++
  return decoder.decode(bytes.subarray(start))
}

/** Short texts are all head; longer ones lose their middle. */
export const excerpt = (text: string, limit = excerptLimit): Excerpt => {
  if (text.length <= limit / 4) return { head: text, tail: "", bytes: Buffer.byteLength(text) }
  const bytes = encoder.encode(text)
  const head = Math.floor(limit * headShare)
  return bytes.length <= limit
    ? { head: text, tail: "", bytes: bytes.length }
    : { head: firstBytes(bytes, head), tail: lastBytes(bytes, limit - head), bytes: bytes.length }
}

/** A text as an event may carry it where no room is for the parts of an excerpt. */
export const shorten = (text: string, limit = excerptLimit): string => {
  const cut = excerpt(text, limit)
  return cut.tail === "" ? cut.head : `${cut.head}\n… ${cut.bytes} bytes in all …\n${cut.tail}`
}

const mostItems = 100

/** Shortens every string in a JSON value, and every list. */
const shortenJson = (value: unknown, limit: number): unknown => {
  if (typeof value === "string") return shorten(value, limit)
  if (Array.isArray(value)) return value.slice(0, mostItems).map((inner) => shortenJson(inner, limit))
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shortenJson(inner, limit)]))
  }
  return value
}

const sizeOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value) ?? "")

/** Bytes that each text of a body may have, tried in this order until the body fits. */
const textLimits = [6_000, 3_000, 1_500, 700, 300, 100]

const firstThatFits = <A>(make: (limit: number) => A): A | undefined => {
  for (const limit of textLimits) {
    const made = make(limit)
    if (sizeOf(made) <= excerptLimit) return made
  }
  return undefined
}

/** The input of a tool call as an event may carry it. */
export const fitInput = (input: unknown): { readonly input: unknown; readonly truncated?: boolean } => {
  const bytes = sizeOf(input)
  return bytes <= excerptLimit
    ? { input }
    : { input: firstThatFits((limit) => shortenJson(input, limit)) ?? { omittedBytes: bytes }, truncated: true }
}

const shortenBlock = (block: ContentBlock, limit: number): ContentBlock => {
  switch (block.type) {
    case "text":
      return { ...block, text: shorten(block.text, limit) }
    case "tool_result":
      return { ...block, content: shorten(block.content, limit) }
    case "tool_use": {
      const input = shortenJson(block.input, limit)
      const bytes = sizeOf(input)
      return { ...block, input: bytes <= limit + 200 ? input : { omittedBytes: bytes } }
    }
    // The signature is for the API alone, which gets the whole.
    case "thinking":
      return { ...block, thinking: shorten(block.thinking, limit), signature: "" }
    case "redacted_thinking":
      return { ...block, data: "" }
  }
}

/** So many blocks fit however long they are, unless their names are. */
const mostBlocks = 16

/** The blocks of a message as an event may carry them. */
export const fitContent = (
  content: ReadonlyArray<ContentBlock>
): { readonly content: ReadonlyArray<ContentBlock>; readonly truncated?: boolean } =>
  sizeOf(content) <= excerptLimit
    ? { content }
    : {
        content:
          firstThatFits((limit) => content.slice(0, mostBlocks).map((block) => shortenBlock(block, limit))) ?? [],
        truncated: true
      }
