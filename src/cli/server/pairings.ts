/** Pairings in the data directory, beside a server that may be running: it asks the database about every one. */
import { Effect, Layer } from "effect"
import * as AccountsSqlite from "../../layers/AccountsSqlite.ts"
import { DataDir } from "../../layers/DataDirLock.ts"
import * as PairingsTickets from "../../layers/PairingsTickets.ts"
import * as Sqlite from "../../layers/Sqlite.ts"
import * as TicketsSqlite from "../../layers/TicketsSqlite.ts"
import * as TransactionSqlite from "../../layers/TransactionSqlite.ts"
import * as VaultAesGcm from "../../layers/VaultAesGcm.ts"
import { AppConfig } from "../../services/AppConfig.ts"

/** The directory without its lock: a command only reads the key that is there, or makes the first. */
export const directory = Layer.effect(
  DataDir,
  Effect.map(AppConfig, ({ dataDir }) => ({ path: dataDir, serverId: "command" }))
)

export const layer = PairingsTickets.layer.pipe(
  Layer.provideMerge(Layer.merge(AccountsSqlite.layer, TicketsSqlite.layer)),
  Layer.provide(TransactionSqlite.layer),
  Layer.provide(Sqlite.layerShared),
  Layer.provide(Layer.provide(VaultAesGcm.layer, directory))
)
