/** Tickets, whatever keeps them. */
import { Effect, Option, Redacted, Schema } from "effect"
import { type TicketKind, Tickets } from "../../services/Tickets.ts"
import { Transaction } from "../../services/Transaction.ts"
import { Vault } from "../../services/Vault.ts"
import { fromNow, now } from "../timestamp.ts"
import type { StoredTicket, TicketStore } from "./TicketStore.ts"

/** Anybody can begin to sign in: more than these are an attack, and the oldest go. */
const most = 10_000

export const ticketPurpose = (kind: string, name: string) => `ticket ${kind} ${name}`

export const makeTickets = Effect.fnUntraced(function* (store: TicketStore) {
  const transaction = yield* Transaction
  const vault = yield* Vault

  const seal = Effect.fnUntraced(function* <A, I>(kind: TicketKind<A, I>, name: string, value: A) {
    const json = yield* Effect.orDie(Schema.encode(Schema.parseJson(kind.schema))(value))
    return yield* vault.seal(ticketPurpose(kind.name, name), Redacted.make(json))
  })

  /** One that can't be opened any more is as good as none. */
  const open = <A, I>(kind: TicketKind<A, I>, { name, sealed }: StoredTicket) =>
    vault.open(ticketPurpose(kind.name, name), sealed).pipe(
      Effect.flatMap((json) => Schema.decode(Schema.parseJson(kind.schema))(Redacted.value(json))),
      Effect.option
    )

  const find = Effect.fnUntraced(function* <A, I>(kind: TicketKind<A, I>, name: string) {
    const stored = yield* store.find(kind.name, name)
    const moment = yield* now
    if (Option.isNone(stored) || stored.value.expiresAt <= moment) return Option.none()
    const { expiresAt } = stored.value
    return Option.map(yield* open(kind, stored.value), (value) => ({ value, expiresAt }))
  })

  const change = <A, I>(kind: TicketKind<A, I>, name: string, next: (value: A) => Option.Option<A>) =>
    transaction.run(
      Effect.gen(function* () {
        const found = yield* find(kind, name)
        if (Option.isNone(found)) return Option.none<A>()
        const changed = next(found.value.value)
        if (Option.isNone(changed)) yield* store.remove(kind.name, name)
        else {
          const sealed = yield* seal(kind, name, changed.value)
          yield* store.put({ kind: kind.name, name, sealed, expiresAt: found.value.expiresAt })
        }
        return changed
      })
    )

  return Tickets.of({
    put: (kind, name, value) =>
      transaction.run(
        Effect.gen(function* () {
          yield* store.tidy(yield* now, most)
          const expiresAt = yield* fromNow(kind.lifetime)
          yield* store.put({ kind: kind.name, name, sealed: yield* seal(kind, name, value), expiresAt })
          return expiresAt
        })
      ),
    find: (kind, name) =>
      Effect.map(
        find(kind, name),
        Option.map(({ value }) => value)
      ),
    take: (kind, name) =>
      transaction.run(
        Effect.tap(
          Effect.map(
            find(kind, name),
            Option.map(({ value }) => value)
          ),
          store.remove(kind.name, name)
        )
      ),
    change
  })
})
