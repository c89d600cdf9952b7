/** GitCredentials in memory, for tests and the demo: gone with the process. */
import { Data, Effect, HashMap, Layer, Option, type Redacted, Ref } from "effect"
import { type CredentialKind, GitCredentials } from "../services/GitCredentials.ts"
import type { UserId } from "../services/Ids.ts"
import type { Timestamp } from "../services/Task.ts"
import { now } from "./timestamp.ts"

interface Entry {
  readonly kind: CredentialKind
  readonly value: Redacted.Redacted
  readonly updatedAt: Timestamp
}

interface Place {
  readonly owner: UserId
  readonly host: string
}

const placeOf = (owner: UserId, host: string): Place => Data.struct({ owner, host: host.toLowerCase() })

export const layer = Layer.effect(
  GitCredentials,
  Effect.gen(function* () {
    const entries = yield* Ref.make(HashMap.empty<Place, Entry>())

    return GitCredentials.of({
      put: (owner, host, { kind, value }) =>
        Effect.flatMap(now, (updatedAt) =>
          Ref.update(entries, HashMap.set(placeOf(owner, host), { kind, value, updatedAt }))
        ),

      remove: (owner, host) =>
        Ref.modify(entries, (before) => {
          const place = placeOf(owner, host)
          return [HashMap.has(before, place), HashMap.remove(before, place)]
        }),

      list: (owner) =>
        Effect.map(Ref.get(entries), (current) =>
          HashMap.toEntries(current)
            .filter(([place]) => place.owner === owner)
            .map(([{ host }, { kind, updatedAt }]) => ({ host, kind, updatedAt }))
            .toSorted((a, b) => (a.host < b.host ? -1 : 1))
        ),

      find: (owner, host) =>
        Effect.map(Ref.get(entries), (current) =>
          Option.map(HashMap.get(current, placeOf(owner, host)), ({ kind, value }) => ({ kind, value }))
        )
    })
  })
)
