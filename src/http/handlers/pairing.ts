/**
 * Letting another device in, and one's own out.
 */
import { HttpApiBuilder, HttpServerResponse } from "@effect/platform"
import { Effect, Option } from "effect"
import { Accounts } from "../../services/Accounts.ts"
import { AppConfig } from "../../services/AppConfig.ts"
import { Pairings } from "../../services/Pairings.ts"
import { CurrentPrincipal } from "../api/Authentication.ts"
import { NewPairing, PairingNumber } from "../api/PairingApi.ts"
import { Problem } from "../api/Problem.ts"
import { NoBody } from "../api/requests.ts"
import { Api } from "../Api.ts"
import { ownerRequired } from "../ownerRequired.ts"
import { makePublicOrigin } from "../publicOrigin.ts"
import { bodyText, decodeBody } from "../requestBody.ts"
import { makeSessionCookie } from "../sessionCookie.ts"
import { Hub } from "../stream/Hub.ts"
import { asProblem, notFound } from "../translate.ts"

const decodePairing = decodeBody(NewPairing)
const decodeNumber = decodeBody(PairingNumber)
const decodeNothing = decodeBody(NoBody)

const mismatch = Problem.of(
  "number_mismatch",
  "This is not the number that the device shows, or no device has shown the code yet. Look at the device again."
)

export const layer = HttpApiBuilder.group(Api, "pairing", (handlers) =>
  Effect.gen(function* () {
    const accounts = yield* Accounts
    const hub = yield* Hub
    const pairings = yield* Pairings
    const publicOrigin = yield* makePublicOrigin
    const cookie = makeSessionCookie(yield* AppConfig)

    /** One's own, or for an owner that of a user of theirs. */
    const owned = Effect.fnUntraced(function* (id: string) {
      const { user } = yield* CurrentPrincipal
      const pairing = yield* pairings.find(id)
      const isOurs = Option.exists(pairing, ({ login }) => user.role === "owner" || login === user.login)
      return Option.isSome(pairing) && isOurs ? pairing.value : yield* notFound
    })

    return handlers
      .handleRaw("open", () =>
        Effect.gen(function* () {
          const { deviceId, user } = yield* CurrentPrincipal
          const { login = user.login } = yield* Effect.flatMap(bodyText, decodePairing)
          if (login !== user.login) yield* ownerRequired
          const known = yield* accounts.userByLogin(login)
          if (Option.isNone(known)) return yield* notFound
          const { code, pairing } = yield* pairings.open(known.value.login, Option.some(deviceId))
          return { ...pairing, code, url: `${yield* publicOrigin}/pair#c=${code}` }
        }).pipe(asProblem)
      )
      .handle("show", ({ path: { pairingId } }) => owned(pairingId))
      .handleRaw("confirm", ({ path: { pairingId } }) =>
        Effect.gen(function* () {
          const { number } = yield* Effect.flatMap(bodyText, decodeNumber)
          yield* owned(pairingId)
          const isSame = yield* Effect.catchTag(pairings.confirm(pairingId, number), "PairingOver", () => notFound)
          if (!isSame) return yield* mismatch
          return yield* owned(pairingId)
        }).pipe(asProblem)
      )
      .handle("refuse", ({ path: { pairingId } }) =>
        Effect.gen(function* () {
          yield* owned(pairingId)
          if (!(yield* pairings.refuse(pairingId))) return yield* notFound
        }).pipe(asProblem)
      )
      .handleRaw("logout", () =>
        Effect.gen(function* () {
          yield* Effect.flatMap(bodyText, decodeNothing)
          const { deviceId, user } = yield* CurrentPrincipal
          yield* accounts.revoke(Option.some(user.id), deviceId)
          yield* hub.recheck
          return cookie.clear(HttpServerResponse.empty({ status: 204 }))
        }).pipe(asProblem)
      )
  })
)
