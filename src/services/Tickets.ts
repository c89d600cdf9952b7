/**
 * Small secrets for one use: what a sign-in that is under way must remember for minutes.
 *
 * Owns: keeping them encrypted, their end, that each is taken once however many ask for it.
 * Does not own: what they mean (`http/auth`, `Pairings`).
 */
import { Context, type Duration, type Effect, type Option, type Schema } from "effect"
import type { Timestamp } from "./Task.ts"
import type { StorageFull } from "./Transaction.ts"

export interface TicketKind<A, I> {
  readonly name: string
  readonly schema: Schema.Schema<A, I>
  readonly lifetime: Duration.DurationInput
}

export class Tickets extends Context.Tag("errand/services/Tickets")<
  Tickets,
  {
    /** Gives the moment of its end. `name` is an id or the hash of a secret, never a secret. */
    readonly put: <A, I>(kind: TicketKind<A, I>, name: string, value: A) => Effect.Effect<Timestamp, StorageFull>
    /** None when there is none, or not any more. */
    readonly find: <A, I>(kind: TicketKind<A, I>, name: string) => Effect.Effect<Option.Option<A>>
    /** Whoever takes it has it alone. */
    readonly take: <A, I>(kind: TicketKind<A, I>, name: string) => Effect.Effect<Option.Option<A>, StorageFull>
    /** Changes it without anybody coming between, and gives the new value; the end stays. None takes it away. */
    readonly change: <A, I>(
      kind: TicketKind<A, I>,
      name: string,
      change: (value: A) => Option.Option<A>
    ) => Effect.Effect<Option.Option<A>, StorageFull>
  }
>() {}
