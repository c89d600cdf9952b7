/** Where leases are kept: the one part in which the adapters of TaskQueue differ. */
import type { Effect } from "effect"
import type { TaskId, UserId } from "../../services/Ids.ts"
import type { Timestamp } from "../../services/Task.ts"
import type { QueuedTask } from "./queueOrder.ts"

export interface StoredLease {
  readonly taskId: TaskId
  readonly owner: UserId
  readonly run: number
  /** Names one life of a server. */
  readonly worker: string
  /** Renewed while the worker lives; from then on another one may take over. */
  readonly until: Timestamp
}

export interface LeaseStore {
  /** Every task with the status `queued`, in any order. */
  readonly queued: Effect.Effect<ReadonlyArray<QueuedTask>>
  readonly leases: Effect.Effect<ReadonlyArray<StoredLease>>
  readonly add: (lease: StoredLease) => Effect.Effect<void>
  /** Nothing happens when the lease is not there any more; `remove` alike. */
  readonly renew: (lease: StoredLease, until: Timestamp) => Effect.Effect<void>
  readonly remove: (lease: StoredLease) => Effect.Effect<void>
}
