/**
 * Sessions, whatever keeps their tokens.
 *
 * A refresh stores the next token, sealed, beside the hash of the one that was used. So whoever asks again because the
 * answer was lost, in the network or with the server itself, gets the same one.
 */
import { randomBytes } from "node:crypto"
import { Duration, Effect, Option, Redacted } from "effect"
import { Accounts } from "../../services/Accounts.ts"
import { type DeviceId, Ids, type UserId } from "../../services/Ids.ts"
import { SessionEnded, Sessions, type SessionTokens } from "../../services/Sessions.ts"
import { Transaction } from "../../services/Transaction.ts"
import { Vault } from "../../services/Vault.ts"
import { hashToken, makeToken } from "../opaqueToken.ts"
import { ago, fromNow, now } from "../timestamp.ts"
import { accessTokenSeconds, keyIdOf, signAccessToken, verifyAccessToken } from "./accessToken.ts"
import type { SessionStore, SigningKey } from "./SessionStore.ts"

/** Time in which a repeated refresh is one whose answer was lost. */
const repeatable = Duration.seconds(60)

/** What a retired key signed may still be shown. */
const overlap = Duration.seconds(accessTokenSeconds)

const keyBytes = 32

export const keyPurpose = (id: string) => `signing key ${id}`
export const successorPurpose = (hash: string) => `successor of refresh token ${hash}`

export const makeSessions = Effect.fnUntraced(function* (store: SessionStore) {
  const accounts = yield* Accounts
  const ids = yield* Ids
  const transaction = yield* Transaction
  const vault = yield* Vault

  const addKey = Effect.gen(function* () {
    const id = yield* ids.plain
    const sealed = yield* vault.seal(keyPurpose(id), Redacted.make(randomBytes(keyBytes).toString("base64url")))
    const key: SigningKey = { id, sealed, createdAt: yield* now, retiresAt: null }
    yield* store.addKey(key)
    return key
  })

  const bytesOf = ({ id, sealed }: SigningKey) =>
    Effect.map(vault.open(keyPurpose(id), sealed), (text) => Buffer.from(Redacted.value(text), "base64url"))

  /** A key that this server's key opens no longer, after a change without a rotation, is as good as none. */
  const currentKey = Effect.gen(function* () {
    const found = yield* store.currentKey
    const bytes = Option.isNone(found) ? Option.none() : yield* Effect.option(bytesOf(found.value))
    if (Option.isSome(found) && Option.isSome(bytes)) return { id: found.value.id, bytes: bytes.value }
    yield* store.retireKeys(yield* now)
    const made = yield* addKey
    return { id: made.id, bytes: yield* Effect.orDie(bytesOf(made)) }
  })

  const tokens = Effect.fnUntraced(function* (user: UserId, deviceId: DeviceId, refreshToken: Redacted.Redacted) {
    const key = yield* transaction.run(currentKey)
    const accessToken = yield* signAccessToken(key, { user, session: deviceId, id: yield* ids.plain })
    return { deviceId, accessToken, expiresInSeconds: accessTokenSeconds, refreshToken } satisfies SessionTokens
  })

  const addToken = Effect.fnUntraced(function* (deviceId: DeviceId) {
    const { hash, token } = yield* makeToken("refresh")
    yield* store.addToken({ hash, deviceId, createdAt: yield* now, usedAt: null, successor: null })
    return token
  })

  const revoke = Effect.fnUntraced(function* (deviceId: DeviceId) {
    yield* accounts.revoke(Option.none(), deviceId)
    yield* Effect.logWarning("A refresh token was used a second time: its session was ended.", { deviceId })
    return new SessionEnded({ reused: true })
  })

  /** What a token leads to. It fails only after the commit, because a token that comes again must end the session. */
  const take = Effect.fnUntraced(function* (hash: string) {
    const found = yield* store.findToken(hash)
    if (Option.isNone(found)) return new SessionEnded({ reused: false })
    const { deviceId, successor, usedAt } = found.value
    const principal = yield* accounts.principal(deviceId)
    if (Option.isNone(principal)) return new SessionEnded({ reused: false })
    const user = principal.value.user.id
    if (usedAt === null) {
      const next = yield* addToken(deviceId)
      yield* store.forgetSuccessors(deviceId, yield* ago(repeatable))
      yield* store.useToken(hash, yield* now, yield* vault.seal(successorPurpose(hash), next))
      return { user, deviceId, next }
    }
    if (successor === null || usedAt < (yield* ago(repeatable))) return yield* revoke(deviceId)
    const opened = yield* Effect.option(vault.open(successorPurpose(hash), successor))
    return Option.isSome(opened) ? { user, deviceId, next: opened.value } : new SessionEnded({ reused: false })
  })

  return Sessions.of({
    open: Effect.fn("Sessions.open")(function* (user, deviceName) {
      const { deviceId, refreshToken } = yield* transaction.run(
        Effect.gen(function* () {
          yield* store.tidy(yield* now)
          const { id: deviceId } = yield* accounts.openSession(user, deviceName)
          return { deviceId, refreshToken: yield* addToken(deviceId) }
        })
      )
      return yield* tokens(user, deviceId, refreshToken)
    }),

    refresh: Effect.fn("Sessions.refresh")(function* (refreshToken) {
      const hash = hashToken("refresh", refreshToken)
      if (Option.isNone(hash)) return yield* new SessionEnded({ reused: false })
      const taken = yield* transaction.run(take(hash.value))
      // @effect-diagnostics-next-line instanceOfSchema:off -- it is an error, and of this class
      return taken instanceof SessionEnded ? yield* taken : yield* tokens(taken.user, taken.deviceId, taken.next)
    }),

    authenticate: Effect.fn("Sessions.authenticate")(function* (token) {
      const keyId = keyIdOf(token)
      if (Option.isNone(keyId)) return yield* accounts.authenticate(token)
      const key = yield* store.key(keyId.value)
      const moment = yield* now
      const good = Option.filter(key, ({ retiresAt }) => retiresAt === null || retiresAt > moment)
      const bytes = Option.isNone(good) ? Option.none() : yield* Effect.option(bytesOf(good.value))
      const claims = Option.isNone(bytes) ? Option.none() : yield* verifyAccessToken(bytes.value, token)
      if (Option.isNone(claims)) return Option.none()
      const { session, user } = claims.value
      return Option.filter(yield* accounts.principal(session), (principal) => principal.user.id === user)
    }),

    rotateKeys: Effect.fn("Sessions.rotateKeys")(({ atOnce }) =>
      transaction.run(
        Effect.gen(function* () {
          yield* store.retireKeys(yield* atOnce ? now : fromNow(overlap))
          yield* addKey
        })
      )
    )
  })
})
