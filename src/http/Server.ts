/**
 * The door: all routes on one listener.
 *
 *   listener ── edge (ids, problems, metrics) ── routes of Api, each behind Authentication
 *                                            └── WebSocket ── Hub ── EventBus
 */
import { isIPv6 } from "node:net"
import { HttpApiBuilder, HttpMiddleware, HttpRouter, HttpServer } from "@effect/platform"
import { Effect, Layer } from "effect"
import { Api } from "./Api.ts"
import * as PairPage from "./auth/pairPage.ts"
import * as Authentication from "./authentication.ts"
import * as Closing from "./Closing.ts"
import * as Edge from "./edge.ts"
import * as Account from "./handlers/account.ts"
import * as Auth from "./handlers/auth.ts"
import * as Conversation from "./handlers/conversation.ts"
import * as Money from "./handlers/money.ts"
import * as Network from "./handlers/network.ts"
import * as PullRequests from "./handlers/pullRequests.ts"
import * as Pairing from "./handlers/pairing.ts"
import * as Results from "./handlers/results.ts"
import * as Schedules from "./handlers/schedules.ts"
import * as Secrets from "./handlers/secrets.ts"
import * as System from "./handlers/system.ts"
import * as Tasks from "./handlers/tasks.ts"
import * as Users from "./handlers/users.ts"
import * as Limits from "./limits.ts"
import * as Listener from "./listener.ts"
import * as PullRequestWatch from "./PullRequestWatch.ts"
import * as Hub from "./stream/Hub.ts"
import * as Stream from "./stream/route.ts"
import * as TaskMetrics from "./taskMetrics.ts"
import * as Webhooks from "./webhooks/route.ts"

const api = HttpApiBuilder.api(Api).pipe(
  Layer.provide([
    Tasks.layer,
    Conversation.layer,
    Results.layer,
    PullRequests.layer,
    Schedules.layer,
    Account.layer,
    Auth.layer,
    Pairing.layer,
    Users.layer,
    Secrets.layer,
    Money.layer,
    Network.layer,
    System.layer
  ]),
  Layer.provide(Authentication.layer)
)

/**
 * Names of tool calls and hosts are longer than the router expects; paths are as case-sensitive as ids; and joining
 * slashes would change URLs in query strings.
 */
const routerConfig = HttpRouter.setRouterConfig({
  maxParamLength: 512,
  caseSensitive: true,
  ignoreDuplicateSlashes: false
})

/** A span for each request costs a third of it; tasks are what is worth tracing. */
const untraced = Layer.locallyScoped(HttpMiddleware.currentTracerDisabledWhen, () => true)

/** Serves from when it is built; `HttpServer` tells where. Everything is built before the first connection comes. */
export const layerWith = (bounds: Partial<Listener.Bounds>) =>
  HttpApiBuilder.serve().pipe(
    Layer.provideMerge(Listener.layerWith(bounds)),
    Layer.provide([api, Stream.layer, PairPage.layer, Webhooks.layer, Edge.layer, TaskMetrics.layer]),
    Layer.provide([Hub.layer, Limits.layer, PullRequestWatch.layer, Closing.layer]),
    Layer.provide([routerConfig, untraced])
  )

export const layer = layerWith({})

/** An address as a URL, without a slash at its end. */
export const urlOf = (address: HttpServer.Address): string => {
  if (address._tag === "UnixAddress") return `unix:${address.path}`
  const { hostname, port } = address
  return `http://${isIPv6(hostname) ? `[${hostname}]` : hostname}:${port}`
}

/** Where the listener is to be found. */
export const address = Effect.map(HttpServer.HttpServer, (server) => urlOf(server.address))
