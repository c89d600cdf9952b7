/** What the command line needs of its process when it runs where the server does. */
import { FetchHttpClient } from "@effect/platform"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { Effect, Layer } from "effect"
import { ServerProcess } from "../../src/cli/ServerProcess.ts"
import { make as makeSignals, Signals } from "../../src/cli/Signals.ts"
import * as IdsUlid from "../../src/layers/IdsUlid.ts"

/** Its server never answers: no command here starts one. */
export const world = Layer.mergeAll(
  NodeContext.layer,
  FetchHttpClient.layer,
  IdsUlid.layer,
  Layer.effect(
    Signals,
    Effect.map(makeSignals, ({ signals }) => signals)
  ),
  Layer.succeed(ServerProcess, { start: () => Effect.never })
)
