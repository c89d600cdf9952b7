/**
 * CONNECT: a tunnel to a host that the policy allows, at an address that was checked, for TLS to that very host.
 */
import { Effect, Option, type Scope } from "effect"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { canonicalHost } from "../../services/HostName.ts"
import { type ClientHello, readClientHello } from "./clientHello.ts"
import type { Interceptor } from "./Interception.ts"
import type { Ledger } from "./Ledger.ts"
import * as limits from "./limits.ts"
import { type Outside, publicAddresses } from "./Outside.ts"
import type { Policy } from "./Policy.ts"
import { malformed, never, rawAnswer, type Refused } from "./Refused.ts"

export interface TunnelContext {
  readonly policy: Policy
  readonly ledger: Ledger
  readonly outside: Outside
  readonly interceptor: Option.Option<Interceptor>
}

const httpsPort = 443

/** The host of `host:443`, canonical. */
export const authorityHost = (authority: string): Effect.Effect<string, Refused> => {
  const [, name = "", port] = /^(.{1,260}):([1-9]\d{0,4})$/.exec(authority) ?? []
  if (port === undefined) return malformed(authority, "a tunnel is asked for as host:port")
  return Option.match(canonicalHost(name), {
    onNone: () => never(name, "tunnels lead to full host names only, in their one canonical spelling"),
    onSome: (host) =>
      Number(port) === httpsPort
        ? Effect.succeed(host)
        : never(host, `only port ${httpsPort} can be reached, and this is ${port}`)
  })
}

export const overBudget = (host: string) => never(host, "the task has moved as many bytes as it may there")

/** One tunnel from the request to its end. `establish` says that there is one: what fails after it can't be answered. */
export const serveTunnel = (
  context: TunnelContext,
  host: string,
  client: Duplex,
  head: Buffer,
  establish: () => void
): Effect.Effect<void, Refused, Scope.Scope> =>
  Effect.gen(function* () {
    const { interceptor, ledger, outside, policy } = context
    const refusal = policy.refusal(host)
    if (refusal !== null) return yield* refusal
    const dial = Effect.flatMap(publicAddresses(outside, host), (addresses) =>
      outside.connect(host, addresses, httpsPort)
    )
    const sent = (bytes: number) => ledger.sent(host, bytes)
    const received = (bytes: number) => ledger.received(host, bytes)
    if (Option.isSome(interceptor) && interceptor.value.wants(host)) {
      establish()
      return yield* interceptor.value.take({ host, client, head, dial, sent, received })
    }
    const upstream = yield* dial
    establish()
    const hello = yield* firstWords(host, client, head)
    yield* splice(host, client, upstream, hello, sent, received)
  })

/** Waits for a whole ClientHello that names the host; gives all bytes that have come by then. */
const firstWords = (host: string, client: Duplex, head: Buffer): Effect.Effect<Buffer, Refused> =>
  Effect.async<Buffer, Refused>((resume) => {
    let bytes = head
    const stop = () => {
      client.off("data", onData)
      client.off("close", onClose)
      client.pause()
    }
    const judge = () => {
      const hello = readClientHello(bytes)
      if (hello === "more" && bytes.length <= limits.helloBytes) return
      stop()
      const fault = faultOf(hello, host)
      resume(fault === undefined ? Effect.succeed(bytes) : never(host, fault))
    }
    const onData = (piece: Buffer) => {
      bytes = Buffer.concat([bytes, piece])
      judge()
    }
    const onClose = () => {
      stop()
      resume(never(host, "the client went away before it had said what it wants"))
    }
    client.on("data", onData)
    client.on("close", onClose)
    client.on("end", onClose)
    judge()
    return Effect.sync(stop)
  }).pipe(
    Effect.timeoutFail({
      duration: limits.helloMs,
      onTimeout: () => never(host, "the client did not begin TLS in time")
    })
  )

const faultOf = (hello: ClientHello | "more" | null, host: string): string | undefined => {
  if (hello === null || hello === "more") return "only TLS goes through a tunnel"
  if (hello.isEncrypted) return "the server name inside TLS is encrypted (ECH), so it can't be compared"
  if (hello.serverName === undefined) return "TLS inside the tunnel names no server (SNI)"
  return hello.serverName.toLowerCase() === host ? undefined : "TLS inside the tunnel is for another server (SNI)"
}

/** Bytes both ways until both sides have ended, one breaks, or a budget is used up. */
const splice = (
  host: string,
  client: Duplex,
  upstream: Socket,
  first: Buffer,
  sent: (bytes: number) => boolean,
  received: (bytes: number) => boolean
): Effect.Effect<void, Refused> =>
  Effect.async<void, Refused>((resume) => {
    const end = () => resume(Effect.void)
    const cut = () => resume(overBudget(host))
    client.on("data", (piece: Buffer) => sent(piece.length) || cut())
    upstream.on("data", (piece: Buffer) => received(piece.length) || cut())
    upstream.setTimeout(limits.idleMs, end)
    client.on("close", end)
    upstream.on("close", (broken: boolean) => {
      // What it sent last is still on its way to the client.
      if (broken || client.writableFinished) end()
      else client.end(end)
    })
    if (!sent(first.length)) return cut()
    upstream.write(first)
    client.pipe(upstream)
    upstream.pipe(client)
  })

/** Ends a connection on which nothing was established, with an answer. */
export const refuseTunnel = (client: Duplex, refused: Refused): void => {
  client.end(rawAnswer(refused), () => client.destroy())
}
