/**
 * The user who asks: account, devices, credentials.
 */
import { HttpApiBuilder } from "@effect/platform"
import { Array, Effect, Option } from "effect"
import { Accounts } from "../../services/Accounts.ts"
import { GitCredentials } from "../../services/GitCredentials.ts"
import { CurrentPrincipal } from "../api/Authentication.ts"
import { Problem } from "../api/Problem.ts"
import { NewCredential } from "../api/requests.ts"
import { Api } from "../Api.ts"
import { resumeAfterSignIn } from "../resumeAfterSignIn.ts"
import { bodyText, decodeBody } from "../requestBody.ts"
import { Hub } from "../stream/Hub.ts"
import { asProblem, notFound } from "../translate.ts"

const decodeCredential = decodeBody(NewCredential)

/** A name or an address in lower case, with a port where it is not the scheme's own: as it stands in URLs. */
const hostOfGit = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/

const hostRefused = Problem.of("invalid_request", "host must be a host in lower case, with an optional port.", {
  errors: [{ path: "host", message: "must be a host in lower case, with an optional port" }]
})

const whole = <A>(items: ReadonlyArray<A>) => ({ items, nextCursor: null })

export const layer = HttpApiBuilder.group(Api, "account", (handlers) =>
  Effect.gen(function* () {
    const accounts = yield* Accounts
    const credentials = yield* GitCredentials
    const hub = yield* Hub
    const resume = yield* resumeAfterSignIn

    return handlers
      .handle("me", () => Effect.map(CurrentPrincipal, ({ user, deviceId, scopes }) => ({ ...user, deviceId, scopes })))
      .handle("devices", () =>
        Effect.gen(function* () {
          const { user, deviceId } = yield* CurrentPrincipal
          const devices = yield* accounts.devices(Option.some(user.id))
          return whole(Array.map(devices, (device) => ({ ...device, current: device.id === deviceId })))
        })
      )
      .handle("revoke", ({ path: { deviceId } }) =>
        Effect.gen(function* () {
          const { user } = yield* CurrentPrincipal
          if (!(yield* accounts.revoke(Option.some(user.id), deviceId))) return yield* notFound
          yield* hub.recheck
        }).pipe(asProblem)
      )
      .handle("credentials", () =>
        Effect.flatMap(CurrentPrincipal, ({ user }) => Effect.map(credentials.list(user.id), whole))
      )
      .handleRaw("putCredential", ({ path: { host } }) =>
        Effect.gen(function* () {
          const { user } = yield* CurrentPrincipal
          const credential = yield* Effect.flatMap(bodyText, decodeCredential)
          if (!hostOfGit.test(host)) return yield* hostRefused
          yield* credentials.put(user.id, host, credential)
          yield* resume(user.id, host)
        }).pipe(asProblem)
      )
      .handle("removeCredential", ({ path: { host } }) =>
        Effect.gen(function* () {
          const { user } = yield* CurrentPrincipal
          if (!(yield* credentials.remove(user.id, host))) return yield* notFound
        }).pipe(asProblem)
      )
  })
)
