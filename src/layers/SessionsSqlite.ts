/** Sessions in the tables `refresh_tokens` and `signing_keys`. */
import { SqlClient } from "@effect/sql/SqlClient"
import * as SqlSchema from "@effect/sql/SqlSchema"
import { Effect, Layer, Schema } from "effect"
import { DeviceId } from "../services/Ids.ts"
import { Sessions } from "../services/Sessions.ts"
import { Timestamp } from "../services/Task.ts"
import { keyPurpose, makeSessions, successorPurpose } from "./sessions/makeSessions.ts"
import type { SessionStore } from "./sessions/SessionStore.ts"
import type { SealedColumn } from "./vault/SealedColumn.ts"

const TokenRow = Schema.Struct({
  hash: Schema.String,
  deviceId: DeviceId,
  createdAt: Timestamp,
  usedAt: Schema.NullOr(Timestamp),
  successor: Schema.NullOr(Schema.Uint8ArrayFromSelf)
})

const KeyRow = Schema.Struct({
  id: Schema.String,
  sealed: Schema.Uint8ArrayFromSelf,
  createdAt: Timestamp,
  retiresAt: Schema.NullOr(Timestamp)
})

export const sealedKeys: SealedColumn = {
  table: "signing_keys",
  column: "sealed",
  keys: ["id"],
  purpose: ({ id = "" }) => keyPurpose(id)
}

export const sealedSuccessors: SealedColumn = {
  table: "refresh_tokens",
  column: "successor_sealed",
  keys: ["hash"],
  purpose: ({ hash = "" }) => successorPurpose(hash)
}

const makeStore = (sql: SqlClient): SessionStore => {
  const key = sql.literal("id, sealed, created_at AS createdAt, retires_at AS retiresAt")
  const findToken = SqlSchema.findOne({
    Request: Schema.String,
    Result: TokenRow,
    execute: (hash) => sql`
      SELECT hash, device_id AS deviceId, created_at AS createdAt, used_at AS usedAt, successor_sealed AS successor
      FROM refresh_tokens WHERE hash = ${hash}`
  })
  const findKey = SqlSchema.findOne({
    Request: Schema.String,
    Result: KeyRow,
    execute: (id) => sql`SELECT ${key} FROM signing_keys WHERE id = ${id}`
  })
  const currentKey = SqlSchema.findOne({
    Request: Schema.Void,
    Result: KeyRow,
    execute: () => sql`SELECT ${key} FROM signing_keys WHERE retires_at IS NULL ORDER BY id DESC LIMIT 1`
  })
  return {
    addToken: ({ createdAt, deviceId, hash }) =>
      Effect.orDie(sql`INSERT INTO refresh_tokens ${sql.insert({ hash, device_id: deviceId, created_at: createdAt })}`),
    findToken: (hash) => Effect.orDie(findToken(hash)),
    useToken: (hash, usedAt, successor) =>
      Effect.orDie(
        sql`UPDATE refresh_tokens SET used_at = ${usedAt}, successor_sealed = ${successor} WHERE hash = ${hash}`
      ),
    forgetSuccessors: (deviceId, before) =>
      Effect.orDie(sql`
        UPDATE refresh_tokens SET successor_sealed = NULL
        WHERE device_id = ${deviceId} AND used_at < ${before} AND successor_sealed IS NOT NULL`),
    tidy: (now) =>
      Effect.orDie(sql`
        DELETE FROM refresh_tokens
        WHERE device_id IN (SELECT id FROM devices WHERE revoked_at IS NOT NULL OR expires_at <= ${now})`),
    key: (id) => Effect.orDie(findKey(id)),
    currentKey: Effect.orDie(currentKey()),
    addKey: ({ createdAt, id, sealed }) =>
      Effect.orDie(sql`INSERT INTO signing_keys ${sql.insert({ id, sealed, created_at: createdAt })}`),
    retireKeys: (at) =>
      Effect.orDie(sql`UPDATE signing_keys SET retires_at = ${at} WHERE retires_at IS NULL OR retires_at > ${at}`)
  }
}

export const layer = Layer.effect(
  Sessions,
  Effect.flatMap(SqlClient, (sql) => makeSessions(makeStore(sql)))
)
