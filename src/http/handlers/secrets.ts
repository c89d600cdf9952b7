/**
 * Secrets for tasks: stored, listed by name, forgotten.
 */
import { HttpApiBuilder } from "@effect/platform"
import { Array, Effect, Either, ParseResult, Schema } from "effect"
import { SecretName, Secrets } from "../../services/Secrets.ts"
import { CurrentPrincipal } from "../api/Authentication.ts"
import { Problem } from "../api/Problem.ts"
import { NewSecret } from "../api/requests.ts"
import { Api } from "../Api.ts"
import { bodyText, decodeBody } from "../requestBody.ts"
import { resumeWithSecret } from "../resumeWithSecret.ts"
import { asProblem, notFound } from "../translate.ts"

const decodeSecret = decodeBody(NewSecret)

const nameOf = (text: string) =>
  Either.mapLeft(Schema.decodeEither(SecretName)(text), (error) => {
    const [fault] = ParseResult.ArrayFormatter.formatErrorSync(error)
    const message = fault?.message ?? "is not the name of a secret"
    return Problem.of("invalid_request", `name ${message}.`, { errors: [{ path: "name", message }] })
  })

export const layer = HttpApiBuilder.group(Api, "secrets", (handlers) =>
  Effect.gen(function* () {
    const secrets = yield* Secrets
    const resume = yield* resumeWithSecret

    return handlers
      .handle("list", () =>
        Effect.gen(function* () {
          const { user } = yield* CurrentPrincipal
          return { items: yield* secrets.list(user.id), nextCursor: null }
        })
      )
      .handleRaw("put", ({ path: { secretName } }) =>
        Effect.gen(function* () {
          const { user } = yield* CurrentPrincipal
          const { hosts, value } = yield* Effect.flatMap(bodyText, decodeSecret)
          const name = yield* nameOf(secretName)
          yield* secrets.put(user.id, { name, hosts: Array.dedupe(hosts), value })
          yield* resume(user.id, name)
        }).pipe(asProblem)
      )
      .handle("remove", ({ path: { secretName } }) =>
        Effect.gen(function* () {
          const { user } = yield* CurrentPrincipal
          if (!(yield* secrets.remove(user.id, secretName))) return yield* notFound
        }).pipe(asProblem)
      )
  })
)
