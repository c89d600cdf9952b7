/** The application and its door, put together. */
import { HttpServer, type HttpServerError } from "@effect/platform"
import { Context, Effect, Layer, Predicate } from "effect"
import { ServerNotStarted, type ServerProcess } from "./cli/ServerProcess.ts"
import * as Server from "./http/Server.ts"
import * as AppLayer from "./layers/AppLayer.ts"
import { AppConfig, type Settings } from "./services/AppConfig.ts"
import { letHeapGrow, optimizeLater } from "./v8Flags.ts"

const codeOf = ({ cause }: HttpServerError.ServeError): string =>
  Predicate.hasProperty(cause, "code") && typeof cause.code === "string" ? cause.code : String(cause)

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "something else listens there. Stop it, or choose another port with ERRAND_PORT (0 picks a free one)",
  EACCES: "this user may not listen there. Choose a port above 1023 with ERRAND_PORT",
  EADDRNOTAVAIL: "this machine has no such address. Choose another with ERRAND_HOST",
  ENOTFOUND: "there is no such name. Choose another with ERRAND_HOST"
}

const cannotListen = (error: HttpServerError.ServeError, { host, port }: Settings) =>
  new ServerNotStarted({
    problem: `The server can't listen on port ${port} of ${host}: ${reasons[codeOf(error)] ?? codeOf(error)}.`
  })

export const startServer: Context.Tag.Service<ServerProcess>["start"] = (settings) =>
  Effect.gen(function* () {
    yield* Effect.sync(optimizeLater)
    const application = yield* Layer.build(AppLayer.layerWith({ config: settings })).pipe(
      Effect.mapError(({ message }) => new ServerNotStarted({ problem: message }))
    )
    const door = yield* Layer.build(Server.layer).pipe(
      Effect.catchTag("ServeError", (error) => cannotListen(error, Context.get(application, AppConfig))),
      Effect.provide(application)
    )
    yield* Effect.sync(letHeapGrow)
    return { url: HttpServer.formatAddress(Context.get(door, HttpServer.HttpServer).address) }
    // Nobody reads the spans that Effect makes of every method; those that somebody does are `services/traced.ts`.
  }).pipe(Effect.withTracerEnabled(false))
