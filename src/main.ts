/** Runs the command that the user typed: the only file that runs an effect. */
import "./v8Flags.ts"
import { FetchHttpClient } from "@effect/platform"
import * as NodeCommandExecutor from "@effect/platform-node/NodeCommandExecutor"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import { makeRunMain } from "@effect/platform/Runtime"
import { Effect, Layer } from "effect"
import { errand } from "./cli/errand.ts"
import { exitCodeOf } from "./cli/outcome.ts"
import * as Screen from "./cli/Screen.ts"
import { ServerProcess } from "./cli/ServerProcess.ts"
import * as Signals from "./cli/Signals.ts"
import * as StandardError from "./cli/StandardError.ts"
import * as IdsUlid from "./layers/IdsUlid.ts"

/** Its code is large, and most commands need none of it. */
const server = Layer.succeed(ServerProcess, {
  start: (settings) =>
    Effect.flatMap(
      Effect.promise(() => import("./startServer.ts")),
      ({ startServer }) => startServer(settings)
    )
})

const platform = Layer.mergeAll(NodeCommandExecutor.layer, NodePath.layer, FetchHttpClient.layer, IdsUlid.layer).pipe(
  Layer.provideMerge(NodeFileSystem.layer)
)

const terminal = Layer.mergeAll(Screen.layer, Signals.layer, StandardError.layer).pipe(
  Layer.provideMerge(NodeTerminal.layer)
)

/** Commands decide what signals mean (`Signals`), so none of them ends the process by itself. */
const run = makeRunMain(({ fiber, teardown }) => {
  // @effect-diagnostics-next-line globalTimers:off -- it keeps the process alive, which no Effect timer does
  const alive = setInterval(() => undefined, 2 ** 30)
  fiber.addObserver((exit) => {
    clearInterval(alive)
    teardown(exit, (code) => process.exit(code))
  })
})

errand(process.argv.slice(2)).pipe(
  // @effect-diagnostics-next-line strictEffectProvide:off -- this is the entry point
  Effect.provide(Layer.mergeAll(platform, terminal, server)),
  run({
    disableErrorReporting: true,
    disablePrettyLogger: true,
    teardown: (exit, onExit) => onExit(exitCodeOf(exit))
  })
)
