/** Accounts in the tables `users` and `devices`. */
import { SqlClient } from "@effect/sql/SqlClient"
import * as SqlSchema from "@effect/sql/SqlSchema"
import { Effect, Layer, Option, Schema } from "effect"
import { Accounts, Device, TokenScope, User } from "../services/Accounts.ts"
import { DeviceId, Ids, UserId } from "../services/Ids.ts"
import { Timestamp } from "../services/Task.ts"
import { Transaction } from "../services/Transaction.ts"
import { hashAccessToken, makeAccessToken } from "./accessToken.ts"
import { checkLogin, seenEvery } from "./accountRules.ts"
import { ago, now } from "./timestamp.ts"

const Scopes = Schema.parseJson(Schema.Array(TokenScope))

const PrincipalRow = Schema.Struct({
  user: Schema.parseJson(User),
  deviceId: DeviceId,
  scopes: Scopes,
  lastSeenAt: Schema.NullOr(Timestamp)
})

const DeviceRow = Schema.Struct({ ...Device.fields, scopes: Scopes, login: Schema.String })

const queries = (sql: SqlClient) => {
  const user = sql.literal("id, login, role, created_at AS createdAt")
  return {
    principal: SqlSchema.findOne({
      Request: Schema.String,
      Result: PrincipalRow,
      execute: (hash) => sql`
        SELECT json_object('id', users.id, 'login', login, 'role', role, 'createdAt', users.created_at) AS user,
          devices.id AS deviceId, scopes, last_seen_at AS lastSeenAt
        FROM devices JOIN users ON users.id = devices.user_id
        WHERE token_hash = ${hash} AND revoked_at IS NULL`
    }),
    userById: SqlSchema.findOne({
      Request: UserId,
      Result: User,
      execute: (id) => sql`SELECT ${user} FROM users WHERE id = ${id}`
    }),
    userByLogin: SqlSchema.findOne({
      Request: Schema.String,
      Result: User,
      execute: (login) => sql`SELECT ${user} FROM users WHERE login = ${login}`
    }),
    addUser: SqlSchema.single({
      Request: User.omit("role"),
      Result: User,
      execute: ({ createdAt, id, login }) => sql`
        INSERT INTO users (id, login, role, created_at)
        VALUES (${id}, ${login}, iif(EXISTS (SELECT 1 FROM users), 'member', 'owner'), ${createdAt})
        RETURNING ${user}`
    }),
    devices: SqlSchema.findAll({
      Request: Schema.NullOr(UserId),
      Result: DeviceRow,
      execute: (owner) => sql`
        SELECT devices.id, name, kind, scopes, devices.created_at AS createdAt, last_seen_at AS lastSeenAt,
          revoked_at AS revokedAt, login
        FROM devices JOIN users ON users.id = devices.user_id
        WHERE ${owner} IS NULL OR users.id = ${owner}
        ORDER BY devices.created_at, devices.id`
    })
  }
}

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

    const findOrAddUser = Effect.fnUntraced(function* (login: string) {
      const known = yield* query.userByLogin(login)
      return Option.isSome(known)
        ? known.value
        : yield* query.addUser({ id: yield* ids.user, login, createdAt: yield* now })
    }, Effect.orDie)

    return Accounts.of({
      authenticate: Effect.fn("Accounts.authenticate")(function* (token) {
        const hash = hashAccessToken(token)
        if (Option.isNone(hash)) return Option.none()
        const found = yield* Effect.orDie(query.principal(hash.value))
        if (Option.isNone(found)) return Option.none()
        const { deviceId, lastSeenAt, scopes, user } = found.value
        if (lastSeenAt === null || lastSeenAt <= (yield* ago(seenEvery))) yield* see(deviceId)
        return Option.some({ user, deviceId, scopes })
      }),

      createToken: Effect.fn("Accounts.createToken")(function* (login, { name, scopes }) {
        yield* checkLogin(login)
        const { hash, token } = yield* makeAccessToken
        const device: Device = {
          id: yield* ids.device,
          name,
          kind: "token",
          scopes: Array.from(new Set(scopes)),
          createdAt: yield* now,
          lastSeenAt: null,
          revokedAt: null
        }
        const scopesText = yield* Effect.orDie(Schema.encode(Scopes)(device.scopes))
        const user = yield* transaction.run(
          Effect.tap(findOrAddUser(login), (owner) =>
            Effect.orDie(
              sql`INSERT INTO devices ${sql.insert({
                id: device.id,
                user_id: owner.id,
                name,
                kind: device.kind,
                scopes: scopesText,
                token_hash: hash,
                created_at: device.createdAt
              })}`
            )
          )
        )
        return { user, device, token }
      }),

      devices: Effect.fn("Accounts.devices")((owner) => Effect.orDie(query.devices(Option.getOrNull(owner)))),

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

      userByLogin: Effect.fn("Accounts.userByLogin")((login) => Effect.orDie(query.userByLogin(login)))
    })
  })
)
