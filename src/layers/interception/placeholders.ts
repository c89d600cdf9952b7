/**
 * What stands in a sandbox in the place of the value of a secret.
 */
import { Redacted } from "effect"
import { randomBytes } from "node:crypto"
import type { Secret } from "../../services/Secrets.ts"

export interface Placeholder {
  readonly secret: Secret
  /** Letters, digits and `_`: the same in a header, a URL and JSON. Means nothing outside of this run. */
  readonly text: string
}

const prefix = "errand_placeholder_"
const fewestRandom = 24
const longest = 512

/** About as long as the value, for clients that check lengths; how long exactly is nobody's business. */
const lengthFor = (value: string): number =>
  Math.min(longest, Math.max(prefix.length + fewestRandom, Math.ceil(value.length / 16) * 16))

export const placeholderFor = (secret: Secret): Placeholder => {
  const length = lengthFor(Redacted.value(secret.value)) - prefix.length
  return {
    secret,
    text:
      prefix +
      randomBytes(Math.ceil(length / 2))
        .toString("hex")
        .slice(0, length)
  }
}
