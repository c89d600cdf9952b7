/** The adapters of storage, each as a server would have it: SQLite in a file, and memory. */
import { FileSystem } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import { SqlClient } from "@effect/sql/SqlClient"
import { Context, Effect, Layer } from "effect"
import * as EventBusMemory from "../../src/layers/EventBusMemory.ts"
import * as EventBusSqlite from "../../src/layers/EventBusSqlite.ts"
import * as SecretsMemory from "../../src/layers/SecretsMemory.ts"
import * as Sqlite from "../../src/layers/Sqlite.ts"
import * as TaskRepoMemory from "../../src/layers/TaskRepoMemory.ts"
import * as TaskRepoSqlite from "../../src/layers/TaskRepoSqlite.ts"
import * as TransactionMemory from "../../src/layers/TransactionMemory.ts"
import * as TransactionSqlite from "../../src/layers/TransactionSqlite.ts"
import type { UserId } from "../../src/services/Ids.ts"
import type { EventBus } from "../../src/services/EventBus.ts"
import type { TaskRepo } from "../../src/services/TaskRepo.ts"
import type { Transaction } from "../../src/services/Transaction.ts"
import { newUserId } from "./someEvents.ts"

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

export type TaskServices = TaskRepo | EventBus | Transaction | People

/** Whoever owns tasks must be a user where there are users. */
export class People extends Context.Tag("test/People")<People, { readonly newcomer: Effect.Effect<UserId> }>() {}

const peopleSqlite = Layer.effect(
  People,
  Effect.map(SqlClient, (sql) => ({
    newcomer: Effect.gen(function* () {
      const id = newUserId()
      yield* sql`INSERT INTO users ${sql.insert({ id, login: id, role: "member", created_at: "2026-01-01T00:00:00.000Z" })}`
      return id
    }).pipe(Effect.orDie)
  }))
)

const peopleMemory = Layer.succeed(People, { newcomer: Effect.sync(newUserId) })

export const tasksSqlite = TaskRepoSqlite.layer.pipe(
  Layer.provideMerge(SecretsMemory.layer),
  Layer.provideMerge(peopleSqlite),
  Layer.provideMerge(eventsSqlite)
)

export const tasksMemory = TaskRepoMemory.layer.pipe(
  Layer.provideMerge(SecretsMemory.layer),
  Layer.provideMerge(peopleMemory),
  Layer.provideMerge(eventsMemory)
)
