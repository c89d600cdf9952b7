/**
 * One tunnel to a host of a secret: TLS of the client ends here, TLS to the host begins here, and each request between
 * them is looked at.
 *
 * Owns: that both ends are the host which the tunnel was asked for.
 * Does not own: whether the host may be reached and at which address (`layers/egress/`), what becomes of requests
 * (`exchange.ts`).
 */
import { Effect, Either, type Scope } from "effect"
import { Socket } from "node:net"
import { connect, type SecureContext, TLSSocket } from "node:tls"
import type { InterceptedTunnel } from "../egress/Interception.ts"
import * as limits from "../egress/limits.ts"
import { never, printable, Refused } from "../egress/Refused.ts"
import { exchange, type Replacing } from "./exchange.ts"

export interface TunnelEnds extends Replacing {
  /** What a client gets to see as the host. */
  readonly secureContext: SecureContext
  /** In PEM, instead of those that the server trusts anyway. */
  readonly roots: ReadonlyArray<string> | undefined
}

/** HTTP/1.1 only: what is looked at must be understood. */
const protocols = ["http/1.1"]

export const serveTunnel = (tunnel: InterceptedTunnel, ends: TunnelEnds): Effect.Effect<void, Refused, Scope.Scope> =>
  Effect.gen(function* () {
    const client = yield* fromClient(tunnel, ends.secureContext)
    // The client is told in its own language why the host can't be had.
    const host = yield* Effect.either(toHost(tunnel, ends.roots))
    yield* exchange(tunnel, client, host, ends)
    if (Either.isLeft(host)) return yield* host.left
  })

const destroyed = (socket: TLSSocket) => Effect.sync(() => socket.destroy())

const fromClient = ({ client, head, host }: InterceptedTunnel, secureContext: SecureContext) =>
  Effect.acquireRelease(
    Effect.async<TLSSocket, Refused>((resume) => {
      if (!(client instanceof Socket)) return resume(Effect.dieMessage("the tunnel is no socket"))
      if (head.length > 0) client.unshift(head)
      const socket = new TLSSocket(client, { isServer: true, secureContext, ALPNProtocols: protocols })
      // Stays for good: a connection that breaks later on is closed, which ends the exchange.
      socket.on("error", ({ message }) => resume(never(host, `TLS inside the tunnel failed (${printable(message)})`)))
      socket.on("close", () => resume(never(host, "the client went away before it had begun TLS")))
      socket.on("secure", () =>
        resume(
          socket.servername === host
            ? Effect.succeed(socket)
            : never(host, "TLS inside the tunnel is for another server (SNI)")
        )
      )
      return destroyed(socket)
    }).pipe(
      Effect.interruptible,
      Effect.timeoutFail({
        duration: limits.helloMs,
        onTimeout: () => never(host, "the client did not begin TLS in time")
      })
    ),
    destroyed
  )

const unreachable = (host: string, why: string) =>
  new Refused({
    status: 502,
    host,
    reason: `no connection to it can be trusted (${printable(why)})`,
    remedy: "A secret goes to nobody who can't prove to be its host."
  })

const toHost = ({ dial, host }: InterceptedTunnel, roots: TunnelEnds["roots"]) =>
  Effect.flatMap(dial, (socket) =>
    Effect.acquireRelease(
      Effect.async<TLSSocket, Refused>((resume) => {
        const upstream = connect({
          socket,
          servername: host,
          ALPNProtocols: protocols,
          minVersion: "TLSv1.2",
          // Said here, so that no variable of the server's environment can turn it off.
          rejectUnauthorized: true,
          ...(roots === undefined ? {} : { ca: [...roots] })
        })
        upstream.on("error", ({ message }) => resume(unreachable(host, message)))
        upstream.on("secureConnect", () => resume(Effect.succeed(upstream)))
        return destroyed(upstream)
      }).pipe(
        Effect.interruptible,
        Effect.timeoutFail({ duration: limits.dialMs, onTimeout: () => unreachable(host, "no answer in time") })
      ),
      destroyed
    )
  )
