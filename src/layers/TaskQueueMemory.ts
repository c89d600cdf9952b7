/** TaskQueue with its leases in memory, for tests and the demo: gone with the process. */
import { Effect, HashMap, Layer, Option } from "effect"
import type { TaskId } from "../services/Ids.ts"
import { TaskQueue } from "../services/TaskQueue.ts"
import { TaskRepo } from "../services/TaskRepo.ts"
import { MemoryState, type Slice } from "./memory/MemoryState.ts"
import type { LeaseStore, StoredLease } from "./queue/LeaseStore.ts"
import { makeTaskQueue } from "./queue/makeTaskQueue.ts"

type Leases = HashMap.HashMap<TaskId, StoredLease>

/** Changes the leases, if this one is still among them. */
const ifHeld =
  (lease: StoredLease, change: (leases: Leases) => Leases) =>
  (leases: Leases): Leases =>
    Option.exists(HashMap.get(leases, lease.taskId), ({ run }) => run === lease.run) ? change(leases) : leases

const leaseStore = (repo: typeof TaskRepo.Service, leases: Slice<Leases>): LeaseStore => ({
  queued: repo.withStatus(["queued"]),
  leases: Effect.map(leases.get, HashMap.toValues),
  add: (lease) => leases.update(HashMap.set(lease.taskId, lease)),
  renew: (lease, until) => leases.update(ifHeld(lease, HashMap.set(lease.taskId, { ...lease, until }))),
  remove: (lease) => leases.update(ifHeld(lease, HashMap.remove(lease.taskId)))
})

export const layer = Layer.scoped(
  TaskQueue,
  Effect.gen(function* () {
    const state = yield* MemoryState
    const leases = yield* state.slice<Leases>(HashMap.empty())
    return yield* makeTaskQueue(leaseStore(yield* TaskRepo, leases))
  })
)
