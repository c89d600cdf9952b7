/** Secrets for one use, and the names under which what belongs to them is kept. */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto"
import { Effect, Redacted } from "effect"

/** 256 bits of randomness as text. */
export const newSecret = Effect.sync(() => Redacted.make(randomBytes(32).toString("base64url")))

/** SHA-256 in base64url: the name of what belongs to a secret, and a PKCE challenge. */
export const hashOf = (secret: Redacted.Redacted): string =>
  createHash("sha256").update(Redacted.value(secret)).digest("base64url")

export const isSame = (one: string, other: string): boolean => {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
