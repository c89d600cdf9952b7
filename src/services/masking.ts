/**
 * Taking the values of secrets out of text, before anybody stores or sees it.
 *
 * Owns: the forms in which a value may come back, and replacing them, also where a text comes in pieces.
 * Does not own: which secrets a task has (`Secrets.ts`), where texts are masked (`maskChange.ts`, `agent/`).
 */
import { Encoding, Redacted } from "effect"
import type { Secret } from "./Secrets.ts"

/** One text in pieces of any length. What may be the beginning of a value is held back until more of it is known. */
export interface MaskedPieces {
  readonly push: (piece: string) => string
  /** What was held back. */
  readonly end: () => string
}

export interface Mask {
  /** False when there is nothing to look for. */
  readonly active: boolean
  readonly text: (text: string) => string
  readonly pieces: () => MaskedPieces
}

const same = (text: string): string => text

export const noMask: Mask = { active: false, text: same, pieces: () => ({ push: same, end: () => "" }) }

/** Shorter forms are found in ordinary text. */
const shortestForm = 8

/** The characters of base64 that the value alone decides, when `before` bytes stand before it. */
const insideBase64 = (value: string, before: number): string => {
  const encoded = Encoding.encodeBase64("\0".repeat(before) + value)
  return encoded.slice(Math.ceil((before * 8) / 6), Math.floor(((before + value.length) * 8) / 6))
}

/** What programs write for `"` and `'` in a page. */
const quotes = [
  ['"', "'"],
  ["&quot;", "'"],
  ["&quot;", "&#39;"],
  ["&quot;", "&#x27;"],
  ["&quot;", "&apos;"],
  ["&#34;", "&#39;"]
] as const

const inHtml = (value: string): ReadonlyArray<string> => {
  const text = value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
  return quotes.map(([double, single]) => text.replaceAll('"', double).replaceAll("'", single))
}

/** What a value looks like in a header, in a URL, in JSON, in a page, in `Basic` credentials, in a dump. */
export const formsOf = (value: string): ReadonlyArray<string> => {
  const url = [encodeURIComponent(value), new URLSearchParams([["", value]]).toString().slice(1)]
  const json = JSON.stringify(value).slice(1, -1)
  const hex = Encoding.encodeHex(value)
  const base64 = [0, 1, 2].map((before) => insideBase64(value, before))
  const forms = [
    value,
    ...url,
    ...url.map((form) => form.replace(/%../g, (escape) => escape.toLowerCase())),
    json,
    json.replaceAll("/", "\\/"),
    ...inHtml(value),
    ...base64,
    ...base64.map((form) => form.replaceAll("+", "-").replaceAll("/", "_")),
    hex,
    hex.toUpperCase()
  ]
  return [...new Set(forms)].filter((form) => form.length >= shortestForm)
}

const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")

/** What stands in the place of a value in everything that is stored. */
const name = (secret: Pick<Secret, "name">): string => `[secret ${secret.name}]`

export const maskOf = (
  secrets: ReadonlyArray<Pick<Secret, "name" | "value">>,
  replacement: (secret: Pick<Secret, "name">) => string = name
): Mask => {
  if (secrets.length === 0) return noMask
  const replacements = new Map(
    secrets.flatMap((secret) =>
      formsOf(Redacted.value(secret.value)).map((form) => [form, replacement(secret)] as const)
    )
  )
  // The longest first: one value may begin another.
  const forms = [...replacements.keys()].toSorted((a, b) => b.length - a.length)
  const pattern = forms.map(escaped).join("|")
  const longest = forms[0]?.length ?? 0
  const whole = new RegExp(pattern, "g")
  const replaced = (found: string): string => replacements.get(found) ?? ""

  /** Where the end of a text begins that may be the beginning of a form. */
  const openEnd = (text: string, from: number): number => {
    for (let at = Math.max(from, text.length - longest + 1); at < text.length; at++) {
      const rest = text.length - at
      if (forms.some((form) => form.length > rest && text.endsWith(form.slice(0, rest)))) return at
    }
    return text.length
  }

  const pieces = (): MaskedPieces => {
    let held = ""
    return {
      push: (piece) => {
        const text = held + piece
        const found = new RegExp(pattern, "g")
        let at = 0
        let masked = ""
        let open = openEnd(text, 0)
        for (let match = found.exec(text); match !== null && match.index < open; match = found.exec(text)) {
          masked += text.slice(at, match.index) + replaced(match[0])
          at = found.lastIndex
          if (at > open) open = openEnd(text, at)
        }
        if (at < open) masked += text.slice(at, open)
        held = text.slice(Math.max(at, open))
        return masked
      },
      end: () => {
        const last = held.replace(whole, replaced)
        held = ""
        return last
      }
    }
  }

  return { active: true, text: (text) => text.replace(whole, replaced), pieces }
}
