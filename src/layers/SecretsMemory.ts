/** Secrets in memory, for tests and the demo: gone with the process. */
import { Data, Effect, HashMap, Layer, Option, Ref } from "effect"
import type { UserId } from "../services/Ids.ts"
import { mostSecrets, type Secret, Secrets, TooManySecrets } from "../services/Secrets.ts"
import type { Timestamp } from "../services/Task.ts"
import { now } from "./timestamp.ts"

interface Place {
  readonly owner: UserId
  readonly name: string
}

interface Entry {
  readonly secret: Secret
  readonly updatedAt: Timestamp
}

const placeOf = (owner: UserId, name: string): Place => Data.struct({ owner, name })

export const layer = Layer.effect(
  Secrets,
  Effect.gen(function* () {
    const entries = yield* Ref.make(HashMap.empty<Place, Entry>())
    const entriesOf = (owner: UserId) =>
      Effect.map(Ref.get(entries), (current) =>
        HashMap.toEntries(current).flatMap(([place, entry]) => (place.owner === owner ? [entry] : []))
      )

    return Secrets.of({
      put: Effect.fnUntraced(function* (owner, secret) {
        const others = (yield* entriesOf(owner)).filter((entry) => entry.secret.name !== secret.name)
        if (others.length >= mostSecrets) return yield* new TooManySecrets()
        const updatedAt = yield* now
        yield* Ref.update(entries, HashMap.set(placeOf(owner, secret.name), { secret, updatedAt }))
      }),

      remove: (owner, name) =>
        Ref.modify(entries, (before) => {
          const place = placeOf(owner, name)
          return [HashMap.has(before, place), HashMap.remove(before, place)]
        }),

      list: (owner) =>
        Effect.map(entriesOf(owner), (own) =>
          own
            .map(({ secret: { hosts, name }, updatedAt }) => ({ name, hosts, updatedAt }))
            .toSorted((a, b) => (a.name < b.name ? -1 : 1))
        ),

      find: (owner, names) =>
        Effect.map(Ref.get(entries), (current) =>
          names.flatMap((name) =>
            Option.toArray(Option.map(HashMap.get(current, placeOf(owner, name)), ({ secret }) => secret))
          )
        )
    })
  })
)
