/** Sessions in memory, for tests and the demo: gone with the process. */
import { Effect, HashMap, Layer, Option, Ref } from "effect"
import { Sessions } from "../services/Sessions.ts"
import { makeSessions } from "./sessions/makeSessions.ts"
import type { SessionStore, SigningKey, StoredRefreshToken } from "./sessions/SessionStore.ts"

const makeStore = Effect.gen(function* () {
  const tokens = yield* Ref.make(HashMap.empty<string, StoredRefreshToken>())
  const keys = yield* Ref.make<ReadonlyArray<SigningKey>>([])
  const store: SessionStore = {
    addToken: (token) => Ref.update(tokens, HashMap.set(token.hash, token)),
    findToken: (hash) => Effect.map(Ref.get(tokens), HashMap.get(hash)),
    useToken: (hash, usedAt, successor) =>
      Ref.update(
        tokens,
        HashMap.modify(hash, (token) => ({ ...token, usedAt, successor }))
      ),
    forgetSuccessors: (deviceId, before) =>
      Ref.update(
        tokens,
        HashMap.map((token) =>
          token.deviceId === deviceId && token.usedAt !== null && token.usedAt < before
            ? { ...token, successor: null }
            : token
        )
      ),
    tidy: () => Effect.void,
    key: (id) => Effect.map(Ref.get(keys), (all) => Option.fromNullable(all.find((key) => key.id === id))),
    currentKey: Effect.map(Ref.get(keys), (all) =>
      Option.fromNullable(all.findLast(({ retiresAt }) => retiresAt === null))
    ),
    addKey: (key) => Ref.update(keys, (all) => [...all, key]),
    retireKeys: (at) =>
      Ref.update(keys, (all) =>
        all.map((key) => (key.retiresAt === null || key.retiresAt > at ? { ...key, retiresAt: at } : key))
      )
  }
  return store
})

export const layer = Layer.effect(Sessions, Effect.flatMap(makeStore, makeSessions))
