/** The adapters of storage, each as a server would have it: SQLite in a file, and memory. */
import { FileSystem } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import * as EventBusMemory from "../../src/layers/EventBusMemory.ts"
import * as EventBusSqlite from "../../src/layers/EventBusSqlite.ts"
import * as Sqlite from "../../src/layers/Sqlite.ts"
import * as TransactionMemory from "../../src/layers/TransactionMemory.ts"
import * as TransactionSqlite from "../../src/layers/TransactionSqlite.ts"

/** A database in a file of its own, removed with the layer. */
export const sqliteFile = Layer.unwrapScoped(
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const directory = yield* files.makeTempDirectoryScoped({ prefix: "errand-" })
    return Sqlite.layerFile(`${directory}/errand.db`)
  })
).pipe(Layer.provide(NodeFileSystem.layer))

export const eventsSqlite = EventBusSqlite.layer.pipe(
  Layer.provideMerge(TransactionSqlite.layer),
  Layer.provideMerge(sqliteFile)
)

export const eventsMemory = EventBusMemory.layer.pipe(Layer.provideMerge(TransactionMemory.layer))
