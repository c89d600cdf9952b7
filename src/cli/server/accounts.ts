/**
 * Accounts in the data directory, beside a server that may be running.
 *
 * SQLite lets a second process write between the server's commits, and the server asks the database about every token:
 * so what a command writes counts at once, and neither needs to know of the other.
 */
import { type Context, Effect, Layer } from "effect"
import * as AccountsSqlite from "../../layers/AccountsSqlite.ts"
import * as Sqlite from "../../layers/Sqlite.ts"
import * as TransactionSqlite from "../../layers/TransactionSqlite.ts"
import { Accounts } from "../../services/Accounts.ts"

export const layer = AccountsSqlite.layer.pipe(
  Layer.provide(TransactionSqlite.layer),
  Layer.provide(Sqlite.layerShared)
)

/** Opens the database for `use` alone. */
export const withAccounts = <A, E, R>(use: (accounts: Context.Tag.Service<Accounts>) => Effect.Effect<A, E, R>) =>
  Effect.scoped(
    Effect.flatMap(Layer.build(layer), (context) => Effect.flatMap(Accounts, use).pipe(Effect.provide(context)))
  )
