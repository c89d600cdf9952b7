/**
 * Requests and answers between the two ends of a tunnel, one after the other, as streams.
 *
 * Not an effect for each: node's parser hands requests to a function, and a tunnel is a few of them.
 */
import { Effect, Either } from "effect"
import { Agent, createServer, type IncomingMessage, request as httpRequest, type ServerResponse } from "node:http"
import { pipeline } from "node:stream"
import type { TLSSocket } from "node:tls"
import type { Mask } from "../../services/masking.ts"
import type { InterceptedTunnel } from "../egress/Interception.ts"
import * as limits from "../egress/limits.ts"
import { answerOf, never, Refused } from "../egress/Refused.ts"
import { overBudget } from "../egress/tunnel.ts"
import { incoming } from "./incoming.ts"
import { faultOf, outgoing } from "./outgoing.ts"
import type { Placeholder } from "./placeholders.ts"

export interface Replacing {
  /** Of the secrets that are bound to the host. */
  readonly placeholders: ReadonlyArray<Placeholder>
  /** From the values of all secrets of the run to their placeholders. */
  readonly mask: Mask
}

/** Requests of one client go out on one connection, and end with it. */
const agentFor = (upstream: TLSSocket): Agent => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  let isTaken = false
  agent.createConnection = (_options, done) => {
    if (!isTaken) {
      isTaken = true
      return upstream
    }
    done?.(new Error("the host has closed the connection"), upstream)
    return undefined
  }
  return agent
}

/** Ends the connection after the answer. */
const tell = (response: ServerResponse, refused: Refused): void => {
  if (response.headersSent) return void response.destroy()
  const { body, line, status } = answerOf(refused)
  response.shouldKeepAlive = false
  response.writeHead(status, line, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
  response.end(body)
}

const badGateway = (host: string, reason: string) =>
  new Refused({ status: 502, host, reason, remedy: "Try again, or ask the owner of the host." })

/** Until the client has gone, the host has closed the connection, or a request was not for this host. */
export const exchange = (
  tunnel: InterceptedTunnel,
  client: TLSSocket,
  upstream: Either.Either<TLSSocket, Refused>,
  replacing: Replacing
): Effect.Effect<void, Refused> =>
  Effect.async<void, Refused>((resume) => {
    const { host } = tunnel
    let outcome: Effect.Effect<void, Refused> = Effect.void
    let open = 0
    const agent = Either.isRight(upstream) ? agentFor(upstream.right) : undefined

    const cut = () => {
      outcome = overBudget(host)
      client.destroy()
    }

    /** Node throws at what it takes for no header or path, and it must not be the server that ends of it. */
    const guarded =
      <A extends ReadonlyArray<unknown>>(handle: (...given: A) => void) =>
      (...given: A): void => {
        try {
          handle(...given)
        } catch {
          client.destroy()
        }
      }

    const answer = (request: IncomingMessage, response: ServerResponse, reply: IncomingMessage) => {
      const back = incoming(reply, request.method, replacing.mask)
      if (back === undefined) {
        reply.destroy()
        return tell(response, badGateway(host, "its answer is in an encoding that can't be looked into"))
      }
      response.sendDate = false
      if (reply.headers.connection?.toLowerCase() === "close") response.shouldKeepAlive = false
      response.writeHead(reply.statusCode ?? 502, replacing.mask.text(reply.statusMessage ?? ""), [...back.headers])
      reply.on("data", (piece: Buffer) => tunnel.received(piece.length) || cut())
      // A broken answer must break the client's too: it would take a part for the whole.
      pipeline([reply, ...back.steps, response], (error) => error && client.destroy())
    }

    const serve = (request: IncomingMessage, response: ServerResponse) => {
      if (Either.isLeft(upstream)) return tell(response, upstream.left)
      const fault = faultOf(host, request.url ?? "", request.rawHeaders)
      if (fault !== undefined) {
        const refused = new Refused({ ...never(host, fault), status: 421 })
        outcome = refused
        return tell(response, refused)
      }
      if (open >= limits.requestsOfTunnel) return void client.destroy()
      const { headers, path } = outgoing(request.url ?? "", request.rawHeaders, replacing.placeholders)
      open++
      response.on("close", () => {
        open--
        if (open === 0 && upstream.right.destroyed) client.end()
      })
      const asking = httpRequest({ agent, method: request.method, path, headers: [...headers] })
      asking.on(
        "response",
        guarded((reply: IncomingMessage) => answer(request, response, reply))
      )
      asking.on("error", () => tell(response, badGateway(host, "it broke the connection off")))
      request.on("data", (piece: Buffer) => tunnel.sent(piece.length) || cut())
      if (!tunnel.sent(path.length + request.rawHeaders.join("").length)) return cut()
      pipeline([request, asking], (error) => error && asking.destroy())
    }

    client.on("close", () => resume(outcome))
    if (Either.isRight(upstream)) upstream.right.on("close", () => open > 0 || client.end())
    const server = createServer({ maxHeaderSize: limits.headBytes }, guarded(serve))
    // Of the server, which bounds every request: one of the socket would be gone after the first answer.
    server.setTimeout(limits.idleMs)
    server.emit("connection", client)
    if (client.destroyed) resume(outcome)
    return Effect.sync(() => agent?.destroy())
  })
