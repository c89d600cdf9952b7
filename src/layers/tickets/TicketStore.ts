/** Where tickets are kept: the one part in which the adapters of Tickets differ. */
import type { Effect, Option } from "effect"
import type { Timestamp } from "../../services/Task.ts"

export interface StoredTicket {
  readonly kind: string
  readonly name: string
  readonly sealed: Uint8Array
  readonly expiresAt: Timestamp
}

/** What writes is called in a transaction. */
export interface TicketStore {
  readonly find: (kind: string, name: string) => Effect.Effect<Option.Option<StoredTicket>>
  readonly put: (ticket: StoredTicket) => Effect.Effect<void>
  readonly remove: (kind: string, name: string) => Effect.Effect<void>
  /** Forgets those that have ended by now, and of all others those that end first, but for so many. */
  readonly tidy: (now: Timestamp, most: number) => Effect.Effect<void>
}
