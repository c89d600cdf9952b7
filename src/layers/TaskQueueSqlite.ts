/** TaskQueue with its leases in the table `leases`. */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect, Layer } from "effect"
import { TaskQueue } from "../services/TaskQueue.ts"
import type { LeaseStore, StoredLease } from "./queue/LeaseStore.ts"
import { makeTaskQueue } from "./queue/makeTaskQueue.ts"
import type { QueuedTask } from "./queue/queueOrder.ts"

const leaseStore = (sql: SqlClient): LeaseStore => ({
  queued: Effect.orDie(sql<QueuedTask>`
    SELECT id, owner, priority, queued_reason AS queuedReason, queued_at AS queuedAt, recoveries,
      start_at AS startAt, expires_at AS expiresAt
    FROM tasks WHERE status = 'queued'`),
  leases: Effect.orDie(sql<StoredLease>`
    SELECT task_id AS taskId, owner, run, worker, until FROM leases JOIN tasks ON tasks.id = leases.task_id`),
  add: ({ run, taskId, until, worker }) =>
    Effect.orDie(sql`INSERT INTO leases ${sql.insert({ task_id: taskId, run, worker, until })}`),
  renew: ({ run, taskId }, until) =>
    Effect.orDie(sql`UPDATE leases SET until = ${until} WHERE task_id = ${taskId} AND run = ${run}`),
  remove: ({ run, taskId }) => Effect.orDie(sql`DELETE FROM leases WHERE task_id = ${taskId} AND run = ${run}`)
})

export const layer = Layer.scoped(
  TaskQueue,
  Effect.flatMap(SqlClient, (sql) => makeTaskQueue(leaseStore(sql)))
)
