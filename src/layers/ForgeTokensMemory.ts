/** ForgeTokens in memory, for tests and the demo: gone with the process, and without a forge that could renew a grant. */
import { Data, Effect, HashMap, Layer, Option, Redacted, Ref } from "effect"
import { type ForgeConnection, type ForgeGrant, ForgeTokens, ReconnectNeeded } from "../services/ForgeTokens.ts"
import type { UserId } from "../services/Ids.ts"
import type { Timestamp } from "../services/Task.ts"
import { now } from "./timestamp.ts"

interface Entry extends ForgeGrant {
  readonly status: ForgeConnection["status"]
  readonly updatedAt: Timestamp
}

const connected = (grant: ForgeGrant, updatedAt: Timestamp): Entry => ({ ...grant, status: "connected", updatedAt })

interface Place {
  readonly owner: UserId
  readonly host: string
}

const placeOf = (owner: UserId, host: string): Place => Data.struct({ owner, host: host.toLowerCase() })

export const layer = Layer.effect(
  ForgeTokens,
  Effect.gen(function* () {
    const entries = yield* Ref.make(HashMap.empty<Place, Entry>())
    const find = (owner: UserId, host: string) => Effect.map(Ref.get(entries), HashMap.get(placeOf(owner, host)))

    return ForgeTokens.of({
      tokenFor: Effect.fn("ForgeTokens.tokenFor")(function* (owner, host) {
        const found = yield* find(owner, host)
        if (Option.isNone(found)) return yield* new ReconnectNeeded({ host, reason: "never" })
        const { expiresAt, status, token } = found.value
        const isGood = status === "connected" && (expiresAt === null || expiresAt > (yield* now))
        return isGood ? token : yield* new ReconnectNeeded({ host, reason: "lost" })
      }),

      refused: (owner, host, token) =>
        Ref.update(
          entries,
          HashMap.modify(placeOf(owner, host), (entry) =>
            Redacted.value(entry.token) === Redacted.value(token) ? { ...entry, status: "lost" as const } : entry
          )
        ),

      put: (owner, host, grant) =>
        Effect.flatMap(now, (updatedAt) =>
          Ref.update(entries, HashMap.set(placeOf(owner, host), connected(grant, updatedAt)))
        ),

      remove: (owner, host) =>
        Ref.modify(entries, (before) => {
          const place = placeOf(owner, host)
          return [HashMap.has(before, place), HashMap.remove(before, place)]
        }),

      find: (owner, host) =>
        Effect.map(
          find(owner, host),
          Option.map(({ status, updatedAt }) => ({ host: host.toLowerCase(), status, updatedAt }))
        )
    })
  })
)
