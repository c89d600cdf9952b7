/**
 * The form of every opaque token: `errand_`, its kind, 43 characters of randomness, 6 characters of checksum.
 *
 * Owns: making tokens, telling a mistyped one, or one of another kind, without a look into the database, the hash under
 * which one is stored.
 * Does not own: whose token it is (`Accounts*.ts`, `sessions/`).
 */
import { Effect, Option, Redacted } from "effect"
import { createHash, randomBytes } from "node:crypto"
import { crc32 } from "node:zlib"

/** Access token of a script, refresh token of a session, cookie of a browser's session. */
export type TokenKind = "pat" | "refresh" | "web"

const form = /^errand_([a-z]+)_[0-9A-Za-z]{49}$/
const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

const base62 = (value: bigint, width: number): string => {
  let rest = value
  let text = ""
  while (text.length < width) {
    text = digits.charAt(Number(rest % 62n)) + text
    rest /= 62n
  }
  return text
}

/** Secret scanners and clients can recompute it: CRC-32 of all that stands before it, in base 62. */
const checksum = (text: string): string => base62(BigInt(crc32(text)), 6)

/** SHA-256, in hex. No salt or stretching: a token has more randomness than anybody can try. */
const hash = (text: string): string => createHash("sha256").update(text).digest("hex")

/** A new token with 256 bits of randomness, and the hash to store. */
export const makeToken = (
  kind: TokenKind
): Effect.Effect<{ readonly token: Redacted.Redacted; readonly hash: string }> =>
  Effect.sync(() => {
    const text = `errand_${kind}_${base62(BigInt(`0x${randomBytes(32).toString("hex")}`), 43)}`
    const whole = text + checksum(text)
    return { token: Redacted.make(whole), hash: hash(whole) }
  })

/** The hash under which a token is stored; none for what can't be a token of this kind, as a mistyped one. */
export const hashToken = (kind: TokenKind, token: Redacted.Redacted): Option.Option<string> => {
  const text = Redacted.value(token)
  return form.exec(text)?.[1] === kind && checksum(text.slice(0, -6)) === text.slice(-6)
    ? Option.some(hash(text))
    : Option.none()
}
