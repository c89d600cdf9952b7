/**
 * The socket that listens.
 *
 * Owns: bounds on what a connection may cost before a request is understood, and hanging up when the server stops.
 * Does not own: routes (`Server.ts`).
 */
import { createServer, type IncomingMessage, type Server } from "node:http"
import type { Socket } from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Deferred, Effect, Layer, Schedule } from "effect"
import { AppConfig } from "../services/AppConfig.ts"
import { encodeProblem, Problem } from "./api/Problem.ts"
import { Closing } from "./Closing.ts"
import { announcesTooMuch } from "./requestBody.ts"

/** What a connection may take, in milliseconds. */
export interface Bounds {
  readonly headersTimeout: number
  /** From the first byte of a request to the last of its body. */
  readonly requestTimeout: number
  /** Between two requests. */
  readonly keepAliveTimeout: number
  /** How often it is looked at; each bound may be exceeded by so much. */
  readonly connectionsCheckingInterval: number
}

/** Slow phones need seconds for a large prompt; slow attackers need for ever. */
const usual: Bounds = {
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 5_000
}

const maxHeaderSize = 16 * 1024

/** Time for requests that are being answered when the server stops. */
const patience = "2 seconds"

const isOf = (error: NodeJS.ErrnoException, code: string) => error.code === code

/** Milliseconds that who was refused has for reading the answer; some never hang up themselves. */
const lingering = 1_000

/** Requests that Node itself refuses are answered like all others. */
const refuse = (error: NodeJS.ErrnoException, socket: Socket) => {
  if (!socket.writable || socket.bytesWritten > 0) return void socket.destroy()
  const status = isOf(error, "HPE_HEADER_OVERFLOW")
    ? "431 Request Header Fields Too Large"
    : isOf(error, "ERR_HTTP_REQUEST_TIMEOUT")
      ? "408 Request Timeout"
      : "400 Bad Request"
  const problem = Problem.of("malformed_request", "This is not an HTTP request that can be answered.")
  const body = JSON.stringify(encodeProblem(new Problem({ ...problem, status: Number(status.slice(0, 3)) })))
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
  )
  // @effect-diagnostics-next-line globalTimers:off -- outside of any effect
  setTimeout(() => socket.destroy(), lingering).unref()
}

const makeServer = (bounds: Bounds): Server => {
  const server = createServer({ ...bounds, maxHeaderSize })
  // Who asks before sending a large body gets the answer instead of the leave to send it.
  server.on("checkContinue", (request: IncomingMessage, response) => {
    if (announcesTooMuch(request)) response.setHeader("connection", "close")
    else response.writeContinue()
    server.emit("request", request, response)
  })
  server.on("clientError", refuse)
  return server
}

/** Requests that are being answered get a moment; what is open after that would keep the server from ever stopping. */
const hangUp = (server: Server, closing: Deferred.Deferred<void>) =>
  Effect.gen(function* () {
    yield* Deferred.succeed(closing, undefined)
    server.close()
    const connections = Effect.async<number>((resume) => {
      server.closeIdleConnections()
      server.getConnections((_, count) => resume(Effect.succeed(count)))
    })
    yield* connections.pipe(
      Effect.repeat({ schedule: Schedule.spaced("20 millis"), until: (count) => count === 0 }),
      Effect.interruptible,
      Effect.timeoutOption(patience)
    )
    server.closeAllConnections()
  })

/** An `HttpServer` on the address of the settings; its `address` tells the port that was picked. */
export const layerWith = (bounds: Partial<Bounds>) =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const { host, port } = yield* AppConfig
      const closing = yield* Closing
      const server = makeServer({ ...usual, ...bounds })
      return Layer.scopedDiscard(Effect.addFinalizer(() => hangUp(server, closing))).pipe(
        Layer.provideMerge(NodeHttpServer.layer(() => server, { host, port }))
      )
    })
  )
