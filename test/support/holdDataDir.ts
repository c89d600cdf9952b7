/** A process of its own that takes the data directory named in ERRAND_DATA_DIR, says its server id, and stays. */
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import * as AppConfigEnv from "../../src/layers/AppConfigEnv.ts"
import * as DataDirLock from "../../src/layers/DataDirLock.ts"
import * as IdsUlid from "../../src/layers/IdsUlid.ts"

DataDirLock.DataDir.pipe(
  Effect.tap(({ serverId }) => Console.log(serverId)),
  Effect.zipRight(Effect.never),
  Effect.provide(
    DataDirLock.layer.pipe(Layer.provide([AppConfigEnv.layer, IdsUlid.layer]), Layer.provide(NodeContext.layer))
  ),
  NodeRuntime.runMain
)
