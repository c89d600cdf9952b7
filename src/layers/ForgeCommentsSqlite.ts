/** ForgeComments in the table `forge_comments`. */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect, Layer } from "effect"
import { ForgeComments } from "../services/ForgeComments.ts"
import { Transaction } from "../services/Transaction.ts"
import { now } from "./timestamp.ts"

export const layer = Layer.effect(
  ForgeComments,
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const transaction = yield* Transaction

    return ForgeComments.of({
      claim: Effect.fn("ForgeComments.claim")(function* ({ host, id, kind }) {
        const row = { host, kind, id, claimed_at: yield* now }
        const rows = yield* transaction.run(
          Effect.orDie(sql`INSERT INTO forge_comments ${sql.insert(row)} ON CONFLICT DO NOTHING RETURNING id`)
        )
        return rows.length > 0
      })
    })
  })
)
