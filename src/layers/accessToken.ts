/**
 * The form of an access token: `errand_pat_`, 43 characters of randomness, 6 characters of checksum.
 *
 * Owns: making tokens, telling a mistyped one without a look into the database, the hash under which one is stored.
 * Does not own: whose token it is (`Accounts*.ts`).
 */
import { Effect, Option, Redacted } from "effect"
import { createHash, randomBytes } from "node:crypto"
import { crc32 } from "node:zlib"

const prefix = "errand_pat_"
const form = /^errand_pat_[0-9A-Za-z]{49}$/
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

/** A new token with 256 bits of randomness. */
export const makeAccessToken: Effect.Effect<Redacted.Redacted> = Effect.sync(() => {
  const text = prefix + base62(BigInt(`0x${randomBytes(32).toString("hex")}`), 43)
  return Redacted.make(text + checksum(text))
})

/** SHA-256, in hex. No salt or stretching: the token has more randomness than anybody can try. None for a mistyped token. */
export const hashAccessToken = (token: Redacted.Redacted): Option.Option<string> => {
  const text = Redacted.value(token)
  return form.test(text) && checksum(text.slice(0, -6)) === text.slice(-6)
    ? Option.some(createHash("sha256").update(text).digest("hex"))
    : Option.none()
}
