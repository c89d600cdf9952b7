/**
 * Which hosts the sandboxes of a task have asked for, and how much went to and fro.
 *
 * Owns: one line for each host of a task, summed up over its runs.
 * Does not own: counting (`Egress`), the events that tell of refusals (`TaskEvent.ts`).
 */
import { Context, type Effect, Schema } from "effect"
import type { TaskId } from "./Ids.ts"
import { Timestamp } from "./Task.ts"
import type { StorageFull } from "./Transaction.ts"

export const HostTraffic = Schema.Struct({
  host: Schema.String,
  /** Requests to a registry and tunnels, refused ones included. */
  requests: Schema.Int,
  refusals: Schema.Int,
  /** Bytes as the host sees them: with TLS and headers where the server does not look inside. */
  sentBytes: Schema.Int,
  receivedBytes: Schema.Int,
  firstAt: Timestamp,
  lastAt: Timestamp
}).annotations({ identifier: "HostTraffic" })
export interface HostTraffic extends Schema.Schema.Type<typeof HostTraffic> {}

export class NetworkLog extends Context.Tag("errand/services/NetworkLog")<
  NetworkLog,
  {
    /** Adds to what is there; `firstAt` stays the earliest. Nothing is stored for a task that is gone. */
    readonly add: (id: TaskId, traffic: ReadonlyArray<HostTraffic>) => Effect.Effect<void, StorageFull>
    /** The host that was asked for last comes first. */
    readonly list: (id: TaskId) => Effect.Effect<ReadonlyArray<HostTraffic>>
  }
>() {}
