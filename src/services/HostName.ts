/**
 * Names of hosts that a task may reach.
 *
 * Owns: their one spelling. Nothing is repaired but the case of letters, so that what was checked is what is looked up.
 * Does not own: where a name leads, which names are allowed.
 */
import { Option, Schema } from "effect"

/** The last label begins with a letter: no address is a name, in whatever notation (`127.1`, `0x7f.1`, `2130706433`). */
const grammar = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** A full name in lower case, without a dot at its end, a port or a wildcard; international ones in their ASCII form. */
export const HostName = Schema.String.pipe(
  Schema.pattern(grammar, {
    message: () => "must be the full name of a host in lower case, without port, path or wildcard"
  }),
  Schema.annotations({ identifier: "HostName" })
)

/** Hosts that one task may name, in its request and later. */
export const mostHosts = 100

/** The spelling that is compared, looked up and dialled; none for what is no name. */
export const canonicalHost = (text: string): Option.Option<string> => {
  // Letters outside ASCII have lower-case forms inside it.
  const name = text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
  return grammar.test(name) ? Option.some(name) : Option.none()
}
