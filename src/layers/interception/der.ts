/**
 * As much of DER (X.690) as certificates need.
 *
 * A library for it brings half a megabyte and a container for dependency injection into a server that makes two kinds of
 * certificates.
 */

const lengthOf = (bytes: number): Buffer => {
  if (bytes < 0x80) return Buffer.of(bytes)
  return bytes < 0x100 ? Buffer.of(0x81, bytes) : Buffer.of(0x82, bytes >> 8, bytes & 0xff)
}

const tagged =
  (tag: number) =>
  (...parts: ReadonlyArray<Uint8Array>): Buffer => {
    const body = Buffer.concat(parts)
    return Buffer.concat([Buffer.of(tag), lengthOf(body.length), body])
  }

export const sequence = tagged(0x30)
export const set = tagged(0x31)
export const octetString = tagged(0x04)
export const truth = tagged(0x01)(Buffer.of(0xff))

/** A positive number, most significant byte first. */
export const integer = (bytes: Uint8Array): Buffer =>
  tagged(0x02)(Buffer.of(...((bytes[0] ?? 0) > 0x7f ? [0] : [])), bytes)

/** `unused`: bits at the end that mean nothing. */
export const bitString = (bytes: Uint8Array, unused = 0): Buffer => tagged(0x03)(Buffer.of(unused), bytes)

export const utf8 = (text: string): Buffer => tagged(0x0c)(Buffer.from(text))

/** To the second; for any year from 0 to 9999. */
export const generalizedTime = (moment: Date): Buffer =>
  tagged(0x18)(Buffer.from(moment.toISOString().replace(/[-:T]|\.\d+/g, "")))

/** Context-specific: of other values, and with bytes of its own. */
export const explicit = (number: number, ...parts: ReadonlyArray<Uint8Array>): Buffer => tagged(0xa0 + number)(...parts)
export const implicit = (number: number, bytes: Uint8Array): Buffer => tagged(0x80 + number)(bytes)

const base128 = (value: number): ReadonlyArray<number> =>
  value < 0x80 ? [value] : [...base128(value >> 7).map((byte) => byte | 0x80), value & 0x7f]

/** From the dotted form. */
export const objectId = (dotted: string): Buffer => {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number)
  return tagged(0x06)(Buffer.from([first * 40 + second, ...rest.flatMap(base128)]))
}
