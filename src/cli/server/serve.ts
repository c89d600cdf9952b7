/**
 * What `errand serve` does.
 *
 * Owns: saying when the server answers, and its end: within ten seconds of the first signal, whatever happens.
 */
import { Context, Duration, Effect, Exit, Layer, Option, Schema, Scope } from "effect"
import { version } from "../../http/api/version.ts"
import { AppConfig } from "../../services/AppConfig.ts"
import { lazily } from "../lazily.ts"
import { line, span } from "../render/Line.ts"
import { print, writeJson } from "../Screen.ts"
import { ServerProcess } from "../ServerProcess.ts"
import { Signals } from "../Signals.ts"
import * as StandardError from "../StandardError.ts"
import * as settings from "./settings.ts"

/** What does not let go by then is left to the next start, which clears up. */
const longestShutdown = Duration.seconds(10)

/** Whoever waited for the server comes first; checks start programs and ask the engine. */
const quietStart = Duration.seconds(1)

/** The orderly end took too long. */
export class ShutdownIncomplete extends Schema.TaggedError<ShutdownIncomplete>()("ShutdownIncomplete", {}) {
  override get message() {
    return "The server did not stop in time. What it announced is stored; the next start clears up what it left."
  }
}

const checks = () => import("./startChecks.ts")
const pairing = () => import("./pair.ts")

const announce = (url: string, publicUrl: Option.Option<string>, options: { readonly json: boolean }) =>
  options.json
    ? writeJson({ type: "listening", url, publicUrl: Option.getOrNull(publicUrl), version, pid: process.pid })
    : print(
        line(
          span("Errand ", "strong"),
          `${version} answers at `,
          span(url, "accent"),
          Option.match(publicUrl, { onNone: () => "", onSome: (known) => `, for clients ${known}` })
        )
      )

interface Options {
  readonly json: boolean
}

const start = Effect.fnUntraced(function* (options: Options, config: Layer.Layer<AppConfig>) {
  const { publicUrl, strict } = yield* AppConfig
  if (strict) yield* lazily(checks, ({ strictCheck }) => strictCheck)
  const { url } = yield* (yield* ServerProcess).start(config)
  yield* announce(url, publicUrl, options)
  if (!strict)
    yield* Effect.forkScoped(
      Effect.delay(
        lazily(checks, ({ check }) => check),
        quietStart
      )
    )
  if (!options.json) yield* Effect.forkScoped(lazily(pairing, ({ pairFirstDevice }) => pairFirstDevice(url)))
})

/** Its log is as the settings say from the first line to the last. */
export const serve = Effect.fn("serve")(function* (options: Options) {
  const built = yield* Effect.scoped(Layer.build(settings.layer))
  const config = Layer.succeedContext(built)
  yield* serveWith(options, config).pipe(
    // @effect-diagnostics-next-line strictEffectProvide:off -- a command is an entry point
    Effect.provide(Layer.merge(config, StandardError.layerOf(Context.get(built, AppConfig).log)))
  )
})

const serveWith = Effect.fnUntraced(function* (options: Options, config: Layer.Layer<AppConfig>) {
  const signals = yield* Signals
  const scope = yield* Scope.make()
  yield* Effect.raceFirst(Scope.extend(start(options, config), scope), signals.first).pipe(
    Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
  )
  const signal = yield* signals.first
  yield* Effect.logInfo(`${signal}: stopping`)
  yield* Scope.close(scope, Exit.void).pipe(
    Effect.disconnect,
    Effect.timeoutFail({ duration: longestShutdown, onTimeout: () => new ShutdownIncomplete() })
  )
})
