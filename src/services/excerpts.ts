/**
 * Cutting texts to head and tail, so that an event stays small while the whole is kept behind a route.
 *
 * Owns: the sizes and the cutting, never in the middle of a character.
 * Does not own: where the whole text is stored.
 */
import type { ContentBlock } from "./Message.ts"
import type { Excerpt } from "./TaskEvent.ts"

/** A text up to this many bytes stands whole in an event. */
export const excerptLimit = 8_000
const headBytes = 2_000
const tailBytes = 6_000

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
export const excerpt = (text: string): Excerpt => {
  if (text.length <= excerptLimit / 4) return { head: text, tail: "", bytes: Buffer.byteLength(text) }
  const bytes = encoder.encode(text)
  return bytes.length <= excerptLimit
    ? { head: text, tail: "", bytes: bytes.length }
    : { head: firstBytes(bytes, headBytes), tail: lastBytes(bytes, tailBytes), bytes: bytes.length }
}

const shorten = (text: string): string => {
  const cut = excerpt(text)
  return cut.tail === "" ? cut.head : `${cut.head}\n… ${cut.bytes} bytes in all …\n${cut.tail}`
}

/** Shortens every string in a JSON value, and replaces the value when that is not enough. */
const shortenJson = (value: unknown): unknown => {
  if (typeof value === "string") return shorten(value)
  if (Array.isArray(value)) return value.slice(0, 100).map(shortenJson)
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shortenJson(inner)]))
  }
  return value
}

const fits = (value: unknown): boolean => Buffer.byteLength(JSON.stringify(value) ?? "") <= excerptLimit

/** The input of a tool call as an event may carry it. */
export const fitInput = (input: unknown): { readonly input: unknown; readonly truncated?: boolean } => {
  if (fits(input)) return { input }
  const shorter = shortenJson(input)
  const bytes = Buffer.byteLength(JSON.stringify(shorter))
  return { input: bytes <= excerptLimit * 4 ? shorter : { omittedBytes: bytes }, truncated: true }
}

const shortenBlock = (block: ContentBlock): ContentBlock => {
  switch (block.type) {
    case "text":
      return { ...block, text: shorten(block.text) }
    case "tool_result":
      return { ...block, content: shorten(block.content) }
    case "tool_use":
      return { ...block, input: fitInput(block.input).input }
    case "thinking":
      return { ...block, thinking: shorten(block.thinking) }
    case "redacted_thinking":
      return { ...block, data: "" }
  }
}

/** The blocks of a message as an event may carry them. */
export const fitContent = (
  content: ReadonlyArray<ContentBlock>
): { readonly content: ReadonlyArray<ContentBlock>; readonly truncated?: boolean } =>
  fits(content) ? { content } : { content: content.slice(0, 32).map(shortenBlock), truncated: true }
