/** A host of a secret on loopback, and tunnels to it as the proxy hands them over. */
import { Effect, FiberSet } from "effect"
import { createServer as createHttps, type RequestOptions, request } from "node:https"
import type { IncomingMessage, ServerResponse } from "node:http"
import { type AddressInfo, connect as connectTcp, createServer as createTcp, type Server, type Socket } from "node:net"
import type { InterceptedTunnel, Interceptor } from "../../src/layers/egress/Interception.ts"
import { makeAuthority } from "../../src/layers/interception/certificates.ts"

const listening = <S extends Server>(server: S) =>
  Effect.acquireRelease(
    Effect.async<number>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as AddressInfo).port)))
    }),
    () => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
  )

export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage["headers"]
  readonly body: string
}

/** Answers with whatever the test wants; by default with what it was sent. `seen` has every request that came. */
export const upstreamHost = Effect.fnUntraced(function* (
  host: string,
  reply?: (seen: Seen, response: ServerResponse) => void
) {
  const authority = makeAuthority("the test's own root", [host], Date.now())
  const { certificate: cert, key } = authority.issue(host)
  const seen: Array<Seen> = []
  const server = createHttps({ cert, key }, (incoming, response) => {
    const pieces: Array<Buffer> = []
    incoming.on("data", (piece: Buffer) => pieces.push(piece))
    incoming.on("end", () => {
      const { headers, method = "", url = "" } = incoming
      const one: Seen = { method, url, headers, body: Buffer.concat(pieces).toString() }
      seen.push(one)
      if (reply) return reply(one, response)
      response.setHeader("x-echo", headers["x-api-key"] ?? "")
      response.end(JSON.stringify(one))
    })
  })
  yield* Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))
  const port = yield* listening(server)
  return { port, root: authority.certificate, seen, connections: () => server }
})

export interface Tunnels {
  /** One request through a tunnel of its own; fails as a client does that can't get through. */
  readonly ask: (
    host: string,
    options: Omit<RequestOptions, "headers"> & {
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: string
    }
  ) => Promise<Told>
  /** Where a client finds the door. */
  readonly door: number
  /** Why tunnels ended, in order; empty for those that ended well. */
  readonly ends: ReadonlyArray<string>
}

export interface Told {
  readonly status: number
  readonly headers: IncomingMessage["headers"]
  readonly body: string
}

/** A door on loopback that hands each connection to the interceptor as a tunnel to the host that `name` gives. */
export const tunnelsTo = Effect.fnUntraced(function* (
  interceptor: Interceptor,
  name: string,
  upstreamPort: number,
  trusted: string
) {
  const ends: Array<string> = []
  const sockets = new Set<Socket>()
  const run = yield* FiberSet.makeRuntime<never>()
  const tunnelFor = (client: Socket): InterceptedTunnel => ({
    host: name,
    client,
    head: Buffer.alloc(0),
    dial: Effect.acquireRelease(
      Effect.async<Socket>((resume) => {
        const socket = connectTcp(upstreamPort, "127.0.0.1", () => resume(Effect.succeed(socket)))
      }),
      (socket) => Effect.sync(() => socket.destroy())
    ),
    sent: () => true,
    received: () => true
  })
  const door = createTcp((client) => {
    sockets.add(client)
    client.on("error", () => client.destroy())
    const taken = interceptor.take(tunnelFor(client)).pipe(
      Effect.scoped,
      Effect.matchEffect({
        onSuccess: () => Effect.sync(() => ends.push("")),
        onFailure: ({ reason }) => Effect.sync(() => ends.push(reason))
      }),
      Effect.ensuring(Effect.sync(() => client.destroy()))
    )
    run(taken)
  })
  const port = yield* listening(door)
  yield* Effect.addFinalizer(() => Effect.sync(() => sockets.forEach((socket) => socket.destroy())))

  const ask: Tunnels["ask"] = async (host, { body, ...options }) =>
    await new Promise((resolve, reject) => {
      const asking = request(
        {
          method: "GET",
          path: "/",
          servername: host,
          ...options,
          headers: { host, ...options.headers },
          host: "127.0.0.1",
          port,
          ca: trusted,
          agent: false
        },
        (answer) => {
          const pieces: Array<Buffer> = []
          answer.on("data", (piece: Buffer) => pieces.push(piece))
          answer.on("error", reject)
          answer.on("end", () =>
            resolve({
              status: answer.statusCode ?? 0,
              headers: answer.headers,
              body: Buffer.concat(pieces).toString()
            })
          )
        }
      )
      asking.on("error", reject)
      asking.end(body)
    })
  const tunnels: Tunnels = { ask, door: port, ends }
  return tunnels
})
