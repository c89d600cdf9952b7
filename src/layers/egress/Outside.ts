/**
 * The network as the proxy sees it: names and connections, one step each, so that what was checked is what is dialled.
 */
import { Effect, type Scope } from "effect"
import { Resolver } from "node:dns"
import { connect, isIP, type LookupFunction, type Socket } from "node:net"
import { isPublicAddress } from "../git/addresses.ts"
import * as limits from "./limits.ts"
import { never, Refused } from "./Refused.ts"

export interface Outside {
  /** All addresses of a name, none when it has none. */
  readonly addresses: (name: string) => Effect.Effect<ReadonlyArray<string>>
  /** A connection to one of the addresses, destroyed when the scope closes. */
  readonly connect: (
    host: string,
    addresses: ReadonlyArray<string>,
    port: number
  ) => Effect.Effect<Socket, Refused, Scope.Scope>
}

/** A name server is asked directly: the system's own lookup waits in four threads that all tasks and all files share. */
const ask = (name: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.async<ReadonlyArray<string>>((resume) => {
    const resolver = new Resolver({ timeout: 2_000, tries: 2 })
    const found: Array<string> = []
    let open = 2
    const collect = (error: Error | null, addresses: ReadonlyArray<string>) => {
      if (error === null) found.push(...addresses)
      if (--open === 0) resume(Effect.succeed(found))
    }
    resolver.resolve4(name, collect)
    resolver.resolve6(name, collect)
    return Effect.sync(() => resolver.cancel())
  }).pipe(Effect.timeoutTo({ duration: limits.nameMs, onTimeout: () => [], onSuccess: (addresses) => addresses }))

const unreachable = (host: string, why: string) =>
  new Refused({ status: 502, host, reason: `it can't be reached from the server (${why})`, remedy: "Try again later." })

/** A `lookup` that knows the answer. */
export const fixedLookup =
  (addresses: ReadonlyArray<string>): LookupFunction =>
  (_name, options, done) => {
    const all = addresses.map((address) => ({ address, family: isIP(address) }))
    if (options.all === true) done(null, all)
    else done(null, all[0]?.address ?? "", all[0]?.family ?? 0)
  }

const dial = (host: string, addresses: ReadonlyArray<string>, port: number) =>
  Effect.acquireRelease(
    Effect.async<Socket, Refused>((resume) => {
      const socket = connect({
        host,
        port,
        lookup: fixedLookup(addresses),
        autoSelectFamily: true,
        allowHalfOpen: true,
        noDelay: true
      })
      // Stays for good: an error later on ends the connection, which whoever uses it sees.
      socket.on("error", (error) => resume(unreachable(host, error.message)))
      socket.once("connect", () => resume(Effect.succeed(socket)))
      return Effect.sync(() => socket.destroy())
    }).pipe(
      Effect.interruptible,
      Effect.timeoutFail({ duration: limits.dialMs, onTimeout: () => unreachable(host, "no answer in time") })
    ),
    (socket) => Effect.sync(() => socket.destroy())
  )

export const theInternet: Outside = { addresses: ask, connect: dial }

/** The addresses of a name, asked for once: all of them public, or none is used. */
export const publicAddresses = Effect.fnUntraced(function* (outside: Outside, host: string) {
  const addresses = yield* outside.addresses(host)
  if (addresses.length === 0) {
    return yield* new Refused({
      status: 502,
      host,
      reason: "the name leads to no address",
      remedy: "Look for a mistake in the name, or try again later."
    })
  }
  return addresses.every(isPublicAddress)
    ? addresses
    : yield* never(host, "its name leads to an address that is not of the public internet")
})
