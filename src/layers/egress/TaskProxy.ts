/**
 * One HTTP proxy on one Unix socket, for one sandbox.
 *
 * Owns: taking requests apart and giving each to who serves it; refusing everything else, with a sentence and a count.
 * Does not own: tunnels (`tunnel.ts`), registries (`registries.ts`, `fetchPackage.ts`), which tasks there are.
 */
import { Effect, FiberSet, Option, type Scope } from "effect"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import { EgressUnavailable, type Refusal } from "../../services/Egress.ts"
import type { Registries } from "../../services/Registries.ts"
import { fetchPackage, type RegistryReach } from "./fetchPackage.ts"
import * as limits from "./limits.ts"
import { answerOf, malformed, never, printable, rawAnswer, Refused } from "./Refused.ts"
import { find } from "./registries.ts"
import { authorityHost, refuseTunnel, serveTunnel, type TunnelContext } from "./tunnel.ts"

export interface ProxyContext extends TunnelContext {
  readonly registries: Registries
  readonly reach: RegistryReach
  /** Called for what is worth telling: once for each host and reason. */
  readonly onRefused: (refusal: Refusal) => void
}

/** Serves on `path` until the scope closes; every connection ends with it. */
export const serveTask = (path: string, context: ProxyContext): Effect.Effect<void, EgressUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const run = yield* FiberSet.makeRuntime<never>()
    const sockets = new Set<Duplex>()
    /** Connections on which an answer was begun: no other may be written between. */
    const answered = new WeakSet<Duplex>()

    let open = 0

    const onRequest = (request: IncomingMessage, response: ServerResponse) => {
      answered.add(request.socket)
      // On one connection any number of requests may come before the first is answered.
      if (open >= limits.requests) return void request.socket.destroy()
      open++
      response.on("close", () => open--)
      run(
        answerRequest(context, request, response).pipe(
          Effect.catchTag("Refused", (refused) =>
            Effect.sync(() => {
              noteRefusal(context, refused)
              refuseRequest(request, response, refused)
            })
          ),
          Effect.scoped
        )
      )
    }

    const onConnect = (request: IncomingMessage, client: Duplex, head: Buffer) => {
      let established = false
      const establish = () => {
        established = true
        client.write("HTTP/1.1 200 Connection established\r\n\r\n")
      }
      client.on("error", () => client.destroy())
      run(
        Effect.flatMap(authorityHost(request.url ?? ""), (host) => {
          context.ledger.request(host)
          return serveTunnel(context, host, client, head, establish)
        }).pipe(
          Effect.scoped,
          Effect.ensuring(Effect.sync(() => established && client.destroy())),
          Effect.catchTag("Refused", (refused) =>
            Effect.sync(() => {
              noteRefusal(context, refused)
              if (!established) refuseTunnel(client, refused)
            })
          )
        )
      )
    }

    const server = createServer(
      {
        maxHeaderSize: limits.headBytes,
        headersTimeout: limits.headMs,
        requestTimeout: limits.headMs,
        connectionsCheckingInterval: limits.headMs / 2,
        keepAliveTimeout: limits.answerMs
      },
      onRequest
    )
    server.maxConnections = limits.connections
    // Node leaves out what is more; one more tells that there was more.
    server.maxHeadersCount = limits.headers + 1
    server.on("connect", onConnect)
    server.on("upgrade", (request: IncomingMessage, socket: Duplex) => {
      noteRefusal(context, never(request.headers.host ?? "", "another protocol than HTTP is asked for (Upgrade)"))
      socket.destroy()
    })
    server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
      if (!socket.writable || answered.has(socket)) return void socket.end(() => socket.destroy())
      const status = error.code === "HPE_HEADER_OVERFLOW" ? 431 : 400
      const refused = new Refused({ ...malformed("(unknown)", "the request is not valid HTTP"), status })
      noteRefusal(context, refused)
      socket.end(rawAnswer(refused), () => socket.destroy())
    })
    server.on("connection", (socket) => {
      sockets.add(socket)
      socket.on("close", () => sockets.delete(socket))
    })
    yield* Effect.acquireRelease(
      Effect.async<void, EgressUnavailable>((resume) => {
        server.once("error", (error) => resume(new EgressUnavailable({ detail: error.message })))
        // Sandboxes run as users of their own; the directory says who gets as far as here.
        server.listen({ path, readableAll: true, writableAll: true }, () => resume(Effect.void))
      }),
      () =>
        Effect.sync(() => {
          server.close()
          for (const socket of sockets) socket.destroy()
        })
    )
  })

const noteRefusal = ({ ledger, onRefused }: ProxyContext, { host, reason, remedy }: Refused): void => {
  const refusal = { host, reason, remedy }
  if (ledger.refuse(refusal)) onRefused(refusal)
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0"

const answerRequest = (context: ProxyContext, request: IncomingMessage, response: ServerResponse) =>
  Effect.gen(function* () {
    const { method = "", url: target = "" } = request
    if (request.rawHeaders.length > 2 * limits.headers) {
      return yield* new Refused({ ...malformed(target, "the request has too many headers"), status: 431 })
    }
    const found = find(
      target.slice(0, limits.targetLength + 1),
      request.headers["user-agent"] ?? "",
      context.registries
    )
    if (Option.isNone(found)) return yield* notForUs(context, target)
    const { host, name, route } = found.value
    context.ledger.request(host)
    if (!context.policy.servesRegistries) return yield* context.policy.noNetwork(host, name)
    if (method !== "GET" && method !== "HEAD") {
      return yield* new Refused({
        status: 405,
        host,
        reason: `the registry ${name} can only be read, and this is ${method}`,
        remedy: "Publishing and signing in are not for sandboxes: do it elsewhere."
      })
    }
    if (hasBody(request)) return yield* malformed(host, "a request that reads has no body")
    if (target.length > limits.targetLength || route === undefined) {
      return yield* malformed(host, `this is no path of a registry of the kind ${name}`)
    }
    yield* fetchPackage(context, request, response, route, context.registries[name])
  })

/** Plain HTTP through the proxy, or a path that nobody serves. */
const notForUs = ({ ledger, policy }: ProxyContext, target: string): Effect.Effect<never, Refused> => {
  if (!URL.canParse(target)) return malformed("127.0.0.1:3128", "there is nothing at this path")
  const host = printable(new URL(target).hostname)
  ledger.request(host)
  const remedy = "Use https://, where the host is allowed."
  return policy.servesRegistries
    ? new Refused({ status: 403, host, reason: "plain HTTP is served for registries only", remedy })
    : policy.noNetwork(host)
}

/**
 * Many clients read no answer before they have sent everything: what comes is thrown away until then, or until it is
 * too much.
 */
const refuseRequest = (request: IncomingMessage, response: ServerResponse, refused: Refused): void => {
  if (response.headersSent) return void response.destroy()
  const { body, line, status } = answerOf(refused)
  response.shouldKeepAlive = false
  response.writeHead(status, line, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
  response.write(body)
  let left = limits.refusedBytes
  const end = () => response.end()
  // @effect-diagnostics-next-line globalTimers:off -- outside of any effect
  const patience = setTimeout(end, limits.refusedMs)
  request.on("data", (piece: Buffer) => {
    left -= piece.length
    if (left < 0) end()
  })
  request.on("end", end)
  response.on("close", () => clearTimeout(patience))
}
