/** ForgeTokens in the table `forge_grants`, renewed by ForgeSignIn. */
import { SqlClient } from "@effect/sql/SqlClient"
import * as SqlSchema from "@effect/sql/SqlSchema"
import { Duration, Effect, HashMap, Layer, Option, Redacted, Ref, Schema } from "effect"
import { ForgeSignIn, type SignInRefused } from "../services/ForgeSignIn.ts"
import { ForgeConnection, type ForgeGrant, ForgeTokens, ReconnectNeeded } from "../services/ForgeTokens.ts"
import { UserId } from "../services/Ids.ts"
import { Timestamp } from "../services/Task.ts"
import { Transaction } from "../services/Transaction.ts"
import { Vault } from "../services/Vault.ts"
import { fromNow, now } from "./timestamp.ts"
import type { SealedColumn } from "./vault/SealedColumn.ts"

/** A token that ends sooner is renewed first: it shall last for what somebody is about to do with it. */
const margin = Duration.minutes(5)
/** When it can't be renewed now, one is used that lasts at least so long. */
const leastLeft = Duration.seconds(30)

const place = { owner: UserId, host: Schema.String }
const Place = Schema.Struct(place)
type Place = typeof Place.Type

const Row = Schema.Struct({
  sealed: Schema.Uint8ArrayFromSelf,
  status: ForgeConnection.fields.status,
  updatedAt: Timestamp
})

const Grant = Schema.parseJson(
  Schema.Struct({
    token: Schema.Redacted(Schema.String),
    expiresAt: Schema.NullOr(Timestamp),
    refreshToken: Schema.NullOr(Schema.Redacted(Schema.String))
  })
)
const encodeGrant = Schema.encode(Grant)
const decodeGrant = Schema.decode(Grant)

const purpose = ({ host, owner }: Place) => `sign-in of ${owner} at ${host}`

export const sealedGrants: SealedColumn = {
  table: "forge_grants",
  column: "sealed",
  keys: ["user_id", "host"],
  purpose: ({ host, user_id }) => `sign-in of ${user_id} at ${host}`
}

const placeOf = (owner: UserId, host: string): Place => ({ owner, host: host.toLowerCase() })

/** What the forge says when a refresh token was used before, or is over. */
const isOver = ({ code }: SignInRefused) => code === "bad_refresh_token" || code === "invalid_grant"

const lasts = (grant: ForgeGrant, atLeast: Duration.Duration) =>
  Effect.map(fromNow(atLeast), (moment) => grant.expiresAt === null || grant.expiresAt > moment)

export const layer = Layer.effect(
  ForgeTokens,
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const transaction = yield* Transaction
    const vault = yield* Vault
    const signIn = yield* ForgeSignIn
    const locks = yield* Ref.make(HashMap.empty<string, Effect.Semaphore>())
    /** Grants that found no space on the disk: the ones before them are worth nothing any more. */
    const unsaved = yield* Ref.make(HashMap.empty<string, ForgeGrant>())
    const findRow = SqlSchema.findOne({
      Request: Place,
      Result: Row,
      execute: ({ host, owner }) => sql`
        SELECT sealed, status, updated_at AS updatedAt FROM forge_grants WHERE user_id = ${owner} AND host = ${host}`
    })

    const exclusively = <A, E>(at: Place, effect: Effect.Effect<A, E>) =>
      Effect.flatMap(
        Ref.modify(locks, (all) => {
          const lock = Option.getOrElse(HashMap.get(all, purpose(at)), () => Effect.unsafeMakeSemaphore(1))
          return [lock, HashMap.set(all, purpose(at), lock)]
        }),
        (lock) => lock.withPermits(1)(effect)
      )

    const save = Effect.fnUntraced(function* (at: Place, grant: ForgeGrant) {
      const row = {
        user_id: at.owner,
        host: at.host,
        sealed: yield* Effect.flatMap(Effect.orDie(encodeGrant(grant)), (json) =>
          vault.seal(purpose(at), Redacted.make(json))
        ),
        status: "connected",
        updated_at: yield* now
      }
      yield* transaction.run(Effect.orDie(sql`INSERT OR REPLACE INTO forge_grants ${sql.insert(row)}`))
      yield* Ref.update(unsaved, HashMap.remove(purpose(at)))
    })

    const lose = (at: Place) =>
      Effect.flatMap(now, (lostAt) =>
        transaction.run(
          Effect.orDie(sql`
            UPDATE forge_grants SET status = 'lost', updated_at = ${lostAt}
            WHERE user_id = ${at.owner} AND host = ${at.host}`)
        )
      ).pipe(Effect.ignore)

    /** One that this server's key opens no longer is lost. */
    const load = Effect.fnUntraced(function* (at: Place) {
      const kept = HashMap.get(yield* Ref.get(unsaved), purpose(at))
      if (Option.isSome(kept)) return kept.value
      const row = yield* Effect.orDie(findRow(at))
      if (Option.isNone(row)) return yield* new ReconnectNeeded({ host: at.host, reason: "never" })
      const lost = new ReconnectNeeded({ host: at.host, reason: "lost" })
      if (row.value.status === "lost") return yield* lost
      const json = yield* Effect.mapError(vault.open(purpose(at), row.value.sealed), () => lost)
      return yield* Effect.orDie(decodeGrant(Redacted.value(json)))
    })

    /** From the forge's answer to the commit nothing may come between: a refresh token is good for one renewal. */
    const renew = Effect.fnUntraced(function* (at: Place, grant: ForgeGrant) {
      if (grant.refreshToken === null) {
        yield* lose(at)
        return yield* new ReconnectNeeded({ host: at.host, reason: "lost" })
      }
      const renewed = yield* signIn
        .renew(grant.refreshToken)
        .pipe(
          Effect.catchTag("SignInRefused", (refusal) =>
            Effect.zipRight(
              Effect.zipRight(
                Effect.logWarning(`${at.host} does not renew a sign-in: ${refusal.code}`),
                isOver(refusal) ? lose(at) : Effect.void
              ),
              new ReconnectNeeded({ host: at.host, reason: "lost" })
            )
          )
        )
      yield* Ref.update(unsaved, HashMap.set(purpose(at), renewed))
      yield* Effect.ignore(save(at, renewed))
      return renewed
    }, Effect.uninterruptible)

    const current = (at: Place) =>
      Effect.gen(function* () {
        const grant = yield* load(at)
        if (yield* lasts(grant, margin)) return grant
        const usable = yield* lasts(grant, leastLeft)
        return yield* usable ? Effect.orElseSucceed(renew(at, grant), () => grant) : renew(at, grant)
      })

    return ForgeTokens.of({
      tokenFor: Effect.fn("ForgeTokens.tokenFor")(function* (owner, host) {
        const at = placeOf(owner, host)
        const known = yield* load(at)
        if (yield* lasts(known, margin)) return known.token
        return (yield* exclusively(at, current(at))).token
      }),

      refused: Effect.fn("ForgeTokens.refused")(
        function* (owner, host, token) {
          const at = placeOf(owner, host)
          const check = Effect.gen(function* () {
            const grant = yield* load(at)
            if (Redacted.value(grant.token) !== Redacted.value(token)) return
            // It may be the repository that the user may not write to: then the forge still knows the token.
            const isRefused = Effect.match(signIn.whoIs(token), {
              onSuccess: () => false,
              onFailure: ({ _tag }) => _tag === "SignInRefused"
            })
            if (!(yield* isRefused)) return
            if (grant.refreshToken === null) return yield* lose(at)
            yield* Effect.ignore(save(at, { ...grant, expiresAt: yield* now }))
          })
          yield* exclusively(at, check)
        },
        Effect.catchTag("ReconnectNeeded", () => Effect.void)
      ),

      put: Effect.fn("ForgeTokens.put")((owner, host, grant) => {
        const at = placeOf(owner, host)
        return exclusively(at, save(at, grant))
      }),

      remove: Effect.fn("ForgeTokens.remove")(function* (owner, host) {
        const at = placeOf(owner, host)
        const rows = yield* transaction.run(
          Effect.orDie(sql`DELETE FROM forge_grants WHERE user_id = ${at.owner} AND host = ${at.host} RETURNING host`)
        )
        yield* transaction.afterCommit(Ref.update(unsaved, HashMap.remove(purpose(at))))
        return rows.length > 0
      }),

      find: Effect.fn("ForgeTokens.find")(function* (owner, host) {
        const at = placeOf(owner, host)
        return Option.map(yield* Effect.orDie(findRow(at)), ({ status, updatedAt }) => ({
          host: at.host,
          status,
          updatedAt
        }))
      })
    })
  })
)
