/** Accounts in the tables `users`, `devices` and `forge_identities`. */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect, Layer, Option, Schema } from "effect"
import { Accounts, LastOwner, type User, type UserRole } from "../services/Accounts.ts"
import { type DeviceId, Ids, type UserId } from "../services/Ids.ts"
import { Transaction } from "../services/Transaction.ts"
import { checkLogin, isOver, type KnownDevice, newDevice, seenEvery, toDevice } from "./accountRules.ts"
import { queries, Scopes } from "./accounts/queries.ts"
import { hashToken, makeToken } from "./opaqueToken.ts"
import { ago, now } from "./timestamp.ts"

export const layer = Layer.effect(
  Accounts,
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const ids = yield* Ids
    const transaction = yield* Transaction
    const query = queries(sql)

    /** A request is answered all the same when this can't be stored. */
    const see = Effect.fnUntraced(
      function* (id: DeviceId) {
        const seenAt = yield* now
        yield* transaction.run(Effect.orDie(sql`UPDATE devices SET last_seen_at = ${seenAt} WHERE id = ${id}`))
      },
      Effect.catchTag("StorageFull", () => Effect.void)
    )

    const toPrincipal = Effect.fnUntraced(function* (
      found: Effect.Effect.Success<ReturnType<typeof query.principalById>>
    ) {
      if (Option.isNone(found) || (yield* isOver(found.value))) return Option.none()
      const { id: deviceId, lastSeenAt, scopes, user } = found.value
      if (lastSeenAt === null || lastSeenAt <= (yield* ago(seenEvery))) yield* see(deviceId)
      return Option.some({ user, deviceId, scopes })
    })

    const byHash = (hash: Option.Option<string>) =>
      Option.isNone(hash)
        ? Effect.succeed(Option.none())
        : Effect.flatMap(Effect.orDie(query.principalByHash(hash.value)), toPrincipal)

    const addDevice = Effect.fnUntraced(function* (owner: UserId, device: KnownDevice, hash: string | null) {
      yield* sql`INSERT INTO devices ${sql.insert({
        id: device.id,
        user_id: owner,
        name: device.name,
        kind: device.kind,
        scopes: yield* Schema.encode(Scopes)(device.scopes),
        token_hash: hash,
        created_at: device.createdAt,
        expires_at: device.expiresAt
      })}`
    }, Effect.orDie)

    const addSession = Effect.fnUntraced(function* (owner: UserId, name: string, hash: string | null) {
      const device = yield* newDevice(yield* ids.device, { kind: "session", name, scopes: ["read", "write"] })
      yield* transaction.run(addDevice(owner, device, hash))
      return toDevice(device)
    })

    const put = Effect.fnUntraced(function* (login: string, role: UserRole) {
      return yield* query.putUser({ id: yield* ids.user, login, role, createdAt: yield* now })
    }, Effect.orDie)

    const owners = Effect.map(Effect.orDie(query.withRole("owner")), (found) => found.map(({ id }) => id))

    const findOrAdd = Effect.fnUntraced(function* (login: string) {
      const known = yield* Effect.orDie(query.userByLogin(login))
      return Option.isSome(known) ? known.value : yield* put(login, (yield* owners).length === 0 ? "owner" : "member")
    })

    /** Fails when the server would have no owner without this user. */
    const keepAnOwner = Effect.fnUntraced(function* (user: Option.Option<User>) {
      const left = (yield* owners).filter((id) => !Option.exists(user, (one) => one.id === id))
      if (left.length === 0 && Option.exists(user, ({ role }) => role === "owner")) return yield* new LastOwner()
    })

    return Accounts.of({
      authenticate: Effect.fn("Accounts.authenticate")((token) => byHash(hashToken("pat", token))),

      createToken: Effect.fn("Accounts.createToken")(function* (login, { name, scopes }) {
        yield* checkLogin(login)
        const { hash, token } = yield* makeToken("pat")
        const device = yield* newDevice(yield* ids.device, { kind: "token", name, scopes })
        const user = yield* transaction.run(Effect.tap(findOrAdd(login), (owner) => addDevice(owner.id, device, hash)))
        return { user, device: toDevice(device), token }
      }),

      openSession: Effect.fn("Accounts.openSession")((user, name) => addSession(user, name, null)),

      openBrowserSession: Effect.fn("Accounts.openBrowserSession")(function* (user, name) {
        const { hash, token } = yield* makeToken("web")
        return { device: yield* addSession(user, name, hash), cookie: token }
      }),

      authenticateBrowser: Effect.fn("Accounts.authenticateBrowser")((cookie) => byHash(hashToken("web", cookie))),

      principal: Effect.fn("Accounts.principal")((id) =>
        Effect.flatMap(Effect.orDie(query.principalById(id)), toPrincipal)
      ),

      devices: Effect.fn("Accounts.devices")((owner) =>
        Effect.map(Effect.orDie(query.devices(Option.getOrNull(owner))), (rows) =>
          rows.map(({ login, ...device }) => ({ ...toDevice(device), login }))
        )
      ),

      revoke: Effect.fn("Accounts.revoke")(function* (owner, id) {
        const revokedAt = yield* now
        const user = Option.getOrNull(owner)
        const rows = yield* transaction.run(
          Effect.orDie(sql`
            UPDATE devices SET revoked_at = coalesce(revoked_at, ${revokedAt})
            WHERE id = ${id} AND (${user} IS NULL OR user_id = ${user})
            RETURNING id`)
        )
        return rows.length > 0
      }),

      user: Effect.fn("Accounts.user")((id) => Effect.orDie(query.userById(id))),

      userByLogin: Effect.fn("Accounts.userByLogin")((login) => Effect.orDie(query.userByLogin(login))),

      ensure: Effect.fn("Accounts.ensure")((login) =>
        Effect.zipRight(checkLogin(login), transaction.run(findOrAdd(login)))
      ),

      users: Effect.orDie(query.users()),

      invite: Effect.fn("Accounts.invite")(function* (login, role) {
        yield* checkLogin(login)
        return yield* transaction.run(
          Effect.gen(function* () {
            if (role !== "owner") yield* keepAnOwner(yield* Effect.orDie(query.userByLogin(login)))
            return yield* put(login, role)
          })
        )
      }),

      remove: Effect.fn("Accounts.remove")(function* (id) {
        const at = yield* now
        return yield* transaction.run(
          Effect.gen(function* () {
            const user = yield* Effect.orDie(query.userById(id))
            if (Option.isNone(user)) return false
            yield* keepAnOwner(user)
            yield* Effect.orDie(sql`UPDATE users SET removed_at = ${at} WHERE id = ${id}`)
            yield* Effect.orDie(sql`UPDATE devices SET revoked_at = coalesce(revoked_at, ${at}) WHERE user_id = ${id}`)
            return true
          })
        )
      }),

      arrive: Effect.fn("Accounts.arrive")(({ host, login, subject }, admit) =>
        transaction.run(
          Effect.gen(function* () {
            const known = yield* Effect.orDie(query.userByIdentity({ host, subject }))
            if (Option.isSome(known)) return yield* Effect.orDie(query.userById(known.value.id))
            if ((yield* Effect.orDie(query.removed(login))).length > 0) return Option.none<User>()
            const named = yield* Effect.orDie(query.userByLogin(login))
            const others = Option.isSome(named)
              ? yield* Effect.orDie(query.identities({ host, user: named.value.id }))
              : []
            if (others.length > 0) return Option.none<User>()
            const user = Option.isSome(named)
              ? named
              : Option.isSome(admit)
                ? Option.some(yield* put(login, admit.value))
                : Option.none<User>()
            if (Option.isSome(user)) {
              yield* Effect.orDie(
                sql`INSERT INTO forge_identities ${sql.insert({ host, subject, user_id: user.value.id })}`
              )
            }
            return user
          })
        )
      )
    })
  })
)
