/** What AccountsSqlite asks the database. Users who were removed are in no answer. */
import type { SqlClient } from "@effect/sql/SqlClient"
import * as SqlSchema from "@effect/sql/SqlSchema"
import { Schema } from "effect"
import { Device, TokenScope, User, UserRole } from "../../services/Accounts.ts"
import { DeviceId, UserId } from "../../services/Ids.ts"
import { Timestamp } from "../../services/Task.ts"

export const Scopes = Schema.parseJson(Schema.Array(TokenScope))

const DeviceRow = Schema.Struct({
  ...Device.fields,
  scopes: Scopes,
  expiresAt: Schema.NullOr(Timestamp),
  login: Schema.String
})

const PrincipalRow = Schema.Struct({ ...DeviceRow.fields, user: Schema.parseJson(User) })

export const queries = (sql: SqlClient) => {
  const user = sql.literal("id, login, role, created_at AS createdAt")
  const userAsJson = sql.literal(
    "json_object('id', users.id, 'login', login, 'role', role, 'createdAt', users.created_at) AS user"
  )
  const device = sql.literal(
    `devices.id, name, kind, scopes, devices.created_at AS createdAt, last_seen_at AS lastSeenAt,
      expires_at AS expiresAt, revoked_at AS revokedAt, login`
  )
  const owned = sql.literal("devices JOIN users ON users.id = devices.user_id")
  return {
    principalByHash: SqlSchema.findOne({
      Request: Schema.String,
      Result: PrincipalRow,
      execute: (hash) => sql`
        SELECT ${device}, ${userAsJson} FROM ${owned}
        WHERE token_hash = ${hash} AND revoked_at IS NULL AND removed_at IS NULL`
    }),
    principalById: SqlSchema.findOne({
      Request: DeviceId,
      Result: PrincipalRow,
      execute: (id) => sql`
        SELECT ${device}, ${userAsJson} FROM ${owned}
        WHERE devices.id = ${id} AND revoked_at IS NULL AND removed_at IS NULL`
    }),
    devices: SqlSchema.findAll({
      Request: Schema.NullOr(UserId),
      Result: DeviceRow,
      execute: (owner) => sql`
        SELECT ${device} FROM ${owned} WHERE ${owner} IS NULL OR users.id = ${owner}
        ORDER BY devices.created_at, devices.id`
    }),
    userById: SqlSchema.findOne({
      Request: UserId,
      Result: User,
      execute: (id) => sql`SELECT ${user} FROM users WHERE id = ${id} AND removed_at IS NULL`
    }),
    userByLogin: SqlSchema.findOne({
      Request: Schema.String,
      Result: User,
      execute: (login) => sql`SELECT ${user} FROM users WHERE login = ${login} AND removed_at IS NULL`
    }),
    userByIdentity: SqlSchema.findOne({
      Request: Schema.Struct({ host: Schema.String, subject: Schema.String }),
      Result: Schema.Struct({ id: UserId }),
      execute: ({ host, subject }) => sql`
        SELECT user_id AS id FROM forge_identities WHERE host = ${host} AND subject = ${subject}`
    }),
    removed: SqlSchema.findAll({
      Request: Schema.String,
      Result: Schema.Struct({ id: UserId }),
      execute: (login) => sql`SELECT id FROM users WHERE login = ${login} AND removed_at IS NOT NULL`
    }),
    identities: SqlSchema.findAll({
      Request: Schema.Struct({ host: Schema.String, user: UserId }),
      Result: Schema.Struct({ subject: Schema.String }),
      execute: (of) => sql`SELECT subject FROM forge_identities WHERE host = ${of.host} AND user_id = ${of.user}`
    }),
    users: SqlSchema.findAll({
      Request: Schema.Void,
      Result: User,
      execute: () => sql`SELECT ${user} FROM users WHERE removed_at IS NULL ORDER BY created_at, id`
    }),
    /** A login that was removed comes back as the user it was. */
    putUser: SqlSchema.single({
      Request: User,
      Result: User,
      execute: ({ createdAt, id, login, role }) => sql`
        INSERT INTO users (id, login, role, created_at) VALUES (${id}, ${login}, ${role}, ${createdAt})
        ON CONFLICT (login) DO UPDATE SET role = excluded.role, removed_at = NULL
        RETURNING ${user}`
    }),
    withRole: SqlSchema.findAll({
      Request: UserRole,
      Result: Schema.Struct({ id: UserId }),
      execute: (role) => sql`SELECT id FROM users WHERE role = ${role} AND removed_at IS NULL`
    })
  }
}
