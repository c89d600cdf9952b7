/** NetworkLog in the table `network_traffic`. */
import { SqlClient } from "@effect/sql/SqlClient"
import * as SqlSchema from "@effect/sql/SqlSchema"
import { Effect, Layer } from "effect"
import { TaskId } from "../services/Ids.ts"
import { HostTraffic, NetworkLog } from "../services/NetworkLog.ts"
import { Transaction } from "../services/Transaction.ts"

export const layer = Layer.effect(
  NetworkLog,
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const transaction = yield* Transaction
    const list = SqlSchema.findAll({
      Request: TaskId,
      Result: HostTraffic,
      execute: (id) => sql`
        SELECT host, requests, refusals, sent_bytes AS sentBytes, received_bytes AS receivedBytes,
          first_at AS firstAt, last_at AS lastAt
        FROM network_traffic WHERE task_id = ${id} ORDER BY last_at DESC, host`
    })
    const addOne = (id: TaskId, line: HostTraffic) => sql`
      INSERT INTO network_traffic
        (task_id, host, requests, refusals, sent_bytes, received_bytes, first_at, last_at)
      SELECT id, ${line.host}, ${line.requests}, ${line.refusals}, ${line.sentBytes}, ${line.receivedBytes},
        ${line.firstAt}, ${line.lastAt}
      FROM tasks WHERE id = ${id}
      ON CONFLICT (task_id, host) DO UPDATE SET
        requests = requests + excluded.requests,
        refusals = refusals + excluded.refusals,
        sent_bytes = sent_bytes + excluded.sent_bytes,
        received_bytes = received_bytes + excluded.received_bytes,
        first_at = min(first_at, excluded.first_at),
        last_at = max(last_at, excluded.last_at)`

    return NetworkLog.of({
      add: Effect.fn("NetworkLog.add")((id, traffic) =>
        transaction.run(Effect.orDie(Effect.forEach(traffic, (line) => addOne(id, line), { discard: true })))
      ),
      list: Effect.fn("NetworkLog.list")((id) => Effect.orDie(list(id)))
    })
  })
)
