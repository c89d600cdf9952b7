/**
 * Whether what is stored here is also stored elsewhere.
 *
 * Owns: what is known of the replication beside the server, and of the last restore that was proven to work.
 * Does not own: making backups and restoring them, which commands do (`layers/backup`).
 */
import { Context, type Effect, type Option, Schema } from "effect"
import { Timestamp } from "./Task.ts"

/** A restore that was done beside the live database, and found sound. */
export const RestoreProof = Schema.Struct({
  provenAt: Timestamp,
  /** The time of which everything would have been lost. */
  lagSeconds: Schema.Number,
  /** The newest event that was restored; null when there was none. */
  newestEventAt: Schema.NullOr(Timestamp)
}).annotations({ identifier: "RestoreProof" })
export interface RestoreProof extends Schema.Schema.Type<typeof RestoreProof> {}

export interface Replication {
  /** The program that replicates answers. */
  readonly running: boolean
  /** The time of which everything may not be replicated yet; none where its version does not tell. */
  readonly lagSeconds: Option.Option<number>
  /** The size of the write-ahead log, which grows as long as nobody replicates it. */
  readonly walBytes: number
  /** What an operator must look after; none when all is well. */
  readonly alarm: Option.Option<string>
}

export class Backups extends Context.Tag("errand/services/Backups")<
  Backups,
  {
    /** None where the settings name no replication. */
    readonly replication: Effect.Effect<Option.Option<Replication>>
    readonly lastProof: Effect.Effect<Option.Option<RestoreProof>>
  }
>() {}
