/** Tickets in memory, for tests and the demo: gone with the process. */
import { Effect, Layer, Option, Ref } from "effect"
import { Tickets } from "../services/Tickets.ts"
import { makeTickets } from "./tickets/makeTickets.ts"
import type { StoredTicket, TicketStore } from "./tickets/TicketStore.ts"

const without = (kind: string, name: string) => (all: ReadonlyArray<StoredTicket>) =>
  all.filter((ticket) => ticket.kind !== kind || ticket.name !== name)

const makeStore = Effect.gen(function* () {
  const tickets = yield* Ref.make<ReadonlyArray<StoredTicket>>([])
  const store: TicketStore = {
    find: (kind, name) =>
      Effect.map(Ref.get(tickets), (all) =>
        Option.fromNullable(all.find((ticket) => ticket.kind === kind && ticket.name === name))
      ),
    put: (ticket) => Ref.update(tickets, (all) => [...without(ticket.kind, ticket.name)(all), ticket]),
    remove: (kind, name) => Ref.update(tickets, without(kind, name)),
    tidy: (now, most) =>
      Ref.update(tickets, (all) =>
        all
          .filter(({ expiresAt }) => expiresAt > now)
          .toSorted((a, b) => (a.expiresAt > b.expiresAt ? -1 : 1))
          .slice(0, most)
      )
  }
  return store
})

export const layer = Layer.effect(Tickets, Effect.flatMap(makeStore, makeTickets))
