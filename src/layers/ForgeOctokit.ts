/**
 * Forge over the APIs of GitHub and Gitea, which are of one shape, with octokit.
 */
import { Effect, Layer, Option, Redacted } from "effect"
import { AppConfig } from "../services/AppConfig.ts"
import { Forge, ForgeFailed } from "../services/Forge.ts"
import { type ForgePlace, forgeOf } from "../services/forges.ts"
import type { StoreKey } from "../services/GitStore.ts"
import { type Access, makeAccess } from "./forge/access.ts"
import type { Dialect } from "./forge/Dialect.ts"
import { signInMissing, unavailable } from "./forge/failures.ts"
import { gitea } from "./forge/gitea.ts"
import { gitHub } from "./forge/gitHub.ts"
import { makeCall } from "./forge/request.ts"

const noForge = new ForgeFailed({
  reason: "refused",
  retryable: false,
  waitMs: null,
  detail: "Errand knows of no forge at this repository's host. The operator can name it in ERRAND_FORGES."
})

const speak = (place: ForgePlace, token: Redacted.Redacted): Dialect => {
  const call = makeCall(place, token)
  return place.kind === "github" ? gitHub(call, place) : gitea(call)
}

/** Git takes `name:token` from those who need another name; an API takes the token. */
const bare = (value: Redacted.Redacted) =>
  Redacted.make(Redacted.value(value).slice(Redacted.value(value).indexOf(":") + 1))

const isRefusal = ({ reason }: ForgeFailed) => reason === "auth"

export const layer = Layer.effect(
  Forge,
  Effect.gen(function* () {
    const settings = yield* AppConfig
    const access = yield* makeAccess

    const accessTo = (owner: StoreKey["owner"], host: string) =>
      access.find(owner, host).pipe(
        Effect.mapError(({ message }) => unavailable(host, `can't renew the sign-in: ${message}`)),
        Effect.map(Option.filter(({ kind }) => kind === "token")),
        Effect.flatMap(Option.match({ onNone: () => signInMissing(host), onSome: Effect.succeed }))
      )

    /** Asks in the owner's name. A sign-in that the forge refuses is renewed, and asked with once more. */
    const at = <A>(key: StoreKey, ask: (dialect: Dialect) => Effect.Effect<A, ForgeFailed>) =>
      Effect.gen(function* () {
        const place = yield* Effect.mapError(forgeOf(key.url, settings), () => noForge)
        const { host } = place
        const askWith = (found: Access) =>
          Effect.tapError(ask(speak(place, bare(found.value))), (failure) =>
            isRefusal(failure) ? access.refused(key.owner, host, found) : Effect.void
          )
        const first = yield* accessTo(key.owner, host)
        return yield* Effect.catchIf(
          askWith(first),
          (failure) => first.signedIn && isRefusal(failure),
          () => Effect.flatMap(accessTo(key.owner, host), askWith)
        )
      })

    return Forge.of({
      find: Effect.fn("Forge.find")((key, branch) => at(key, ({ find }) => find(branch))),
      open: Effect.fn("Forge.open")((key, request) =>
        at(key, (dialect) =>
          Effect.gen(function* () {
            const base = request.base ?? (yield* dialect.defaultBranch)
            const create = (draft: boolean) => dialect.create({ ...request, base, draft })
            const first = create(request.draft)
            const created = request.draft ? Effect.catchIf(first, noDrafts, () => create(false)) : first
            return yield* Effect.catchAll(created, (failure) => orExisting(dialect, request.branch, failure))
          })
        )
      ),
      describe: Effect.fn("Forge.describe")((key, number, body) => at(key, ({ describe }) => describe(number, body))),
      look: Effect.fn("Forge.look")((key, number) => at(key, ({ look }) => look(number))),
      acknowledge: Effect.fn("Forge.acknowledge")((key, comment) => at(key, ({ react }) => react(comment)))
    })
  })
)

/** Private repositories of some plans have none. */
const noDrafts = ({ detail, reason }: ForgeFailed) => reason === "refused" && /draft/i.test(detail)

/** "It exists already" is a success, and an answer that was lost may have been one. */
const orExisting = (dialect: Dialect, branch: string, failure: ForgeFailed) =>
  failure.reason === "refused" || failure.reason === "unavailable"
    ? dialect.find(branch).pipe(
        Effect.flatMap(Option.filter(({ state }) => state === "open")),
        Effect.mapError(() => failure)
      )
    : failure
