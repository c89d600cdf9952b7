/**
 * The WebSocket `/api/v1/stream`.
 *
 * Owns: who may open it, the handshake, and the end of a connection.
 * Does not own: what is said on it (`converse.ts`).
 */
import type { IncomingMessage } from "node:http"
import { HttpApiBuilder, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Deferred, Effect, Option, type Scope } from "effect"
import { WebSocket, WebSocketServer } from "ws"
import { AppConfig } from "../../services/AppConfig.ts"
import { Problem } from "../api/Problem.ts"
import { makeAuthenticated } from "../authentication.ts"
import { makeClientAddress } from "../clientAddress.ts"
import * as HostGuard from "../hostGuard.ts"
import { makeSessionCookie, type SessionCookie } from "../sessionCookie.ts"
import { closeCodes, Connection } from "./Connection.ts"
import { frameBytes, makeConverse } from "./converse.ts"
import { makeHearing } from "./hearing.ts"
import { Hub } from "./Hub.ts"
import { streamPath } from "./streamPath.ts"

const serverOptions = {
  noServer: true,
  clientTracking: false,
  maxPayload: frameBytes,
  autoPong: false,
  /** Milliseconds for a stuck client to read what waits for it, and the reason of the end. */
  closeTimeout: 10_000
}

/** Time for everybody to say goodbye when the server stops. */
const farewell = "1500 millis"

const upgradeRequired = Problem.of("upgrade_required", "Open this as a WebSocket.", {
  headers: { upgrade: "websocket" }
})

const originRefused = Problem.of("origin_refused", "Pages of other sites may not open this stream.")

const tokenInUrl = Problem.of(
  "token_in_url",
  "URLs are kept in logs. Send the token as `Authorization`, or in the first frame."
)

const tooMany = Problem.of("too_many_connections", "Too many streams are open, on this server or for you.", {
  headers: { "retry-after": "30" }
})

const isUpgrade = ({ headers: { connection, upgrade } }: IncomingMessage) =>
  upgrade?.toLowerCase() === "websocket" && /(?:^|,)\s*upgrade\s*(?:,|$)/i.test(connection ?? "")

const carriesToken = (url: string) =>
  [...new URL(url, "http://localhost").searchParams].some(
    ([name, value]) => /token|auth|ticket|secret|key|session/i.test(name) || value.startsWith("errand_")
  )

type Authenticated = Effect.Effect.Success<typeof makeAuthenticated>

/** Refuses before the handshake what should not become a socket, and reads who is asking when the header says it. */
const admit = (guard: HostGuard.HostGuard, cookie: SessionCookie, authenticated: Authenticated) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const incoming = NodeHttpServerRequest.toIncomingMessage(request)
    const { origin, host, authorization } = request.headers
    if (carriesToken(request.url)) return yield* tokenInUrl
    if (!isUpgrade(incoming)) return yield* upgradeRequired
    if (!guard.allowsOrigin(origin, host)) return yield* originRefused
    const signsInLater = authorization === undefined && Option.isNone(yield* cookie.read)
    return { incoming, principal: signsInLater ? Option.none() : Option.some(yield* authenticated) }
  })

interface Opened {
  readonly socket: WebSocket
  readonly closed: Effect.Effect<void>
}

/** The socket is closed when the scope is; a handshake that `ws` refuses ends the request. */
const accept = (server: WebSocketServer, incoming: IncomingMessage): Effect.Effect<Opened, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const closed = yield* Deferred.make<void>()
      const socket = yield* Effect.async<WebSocket>((resume) => {
        if (incoming.socket.destroyed) return resume(Effect.interrupt)
        incoming.socket.once("close", () => resume(Effect.interrupt))
        server.handleUpgrade(incoming, incoming.socket, Buffer.alloc(0), (socket) => {
          socket.on("error", () => undefined)
          socket.on("close", () => Deferred.unsafeDone(closed, Effect.void))
          resume(Effect.succeed(socket))
        })
      })
      return { socket, closed: Deferred.await(closed) }
    }),
    ({ socket, closed }) =>
      Effect.suspend(() => {
        if (socket.readyState === WebSocket.OPEN) socket.close(closeCodes.goingAway, "the server is stopping")
        return Effect.zipRight(
          Effect.timeoutOption(Effect.interruptible(closed), farewell),
          Effect.sync(() => socket.terminate())
        )
      })
  )

export const layer = HttpApiBuilder.Router.use((router) =>
  Effect.gen(function* () {
    const guard = HostGuard.make(yield* AppConfig)
    const cookie = makeSessionCookie(yield* AppConfig)
    const authenticated = yield* makeAuthenticated
    const clientAddress = yield* makeClientAddress
    const hub = yield* Hub
    const converse = yield* makeConverse
    const server = yield* Effect.acquireRelease(
      Effect.sync(() => new WebSocketServer(serverOptions)),
      (server) => Effect.sync(() => server.close())
    )

    const serve = Effect.gen(function* () {
      const { incoming, principal } = yield* admit(guard, cookie, authenticated)
      const address = yield* clientAddress
      if (!hub.hasRoom(principal, address)) return yield* tooMany
      const { socket, closed } = yield* accept(server, incoming)
      const connection = new Connection(socket, incoming.socket, address)
      connection.principal = principal
      const hearing = yield* makeHearing(socket)
      yield* Effect.addFinalizer(() => Effect.sync(() => hub.remove(connection)))
      hub.add(connection)
      yield* Effect.raceFirst(closed, converse(connection, hearing)).pipe(
        Effect.catchAllDefect((defect) =>
          Effect.zipRight(
            Effect.logError("A conversation failed.", defect),
            Effect.sync(() => connection.close(closeCodes.internalError, "something broke in the server"))
          )
        )
      )
      return HttpServerResponse.empty()
    })

    // The socket is closed before there is an answer, which would be written into it.
    yield* router.get(streamPath, Effect.scoped(serve))
  })
)
