import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import { SignJWT } from "jose"
import * as AccountsMemory from "../../src/layers/AccountsMemory.ts"
import * as AccountsSqlite from "../../src/layers/AccountsSqlite.ts"
import * as IdsUlid from "../../src/layers/IdsUlid.ts"
import { keyIdOf, verifyAccessToken } from "../../src/layers/sessions/accessToken.ts"
import * as SessionsMemory from "../../src/layers/SessionsMemory.ts"
import * as SessionsSqlite from "../../src/layers/SessionsSqlite.ts"
import * as TransactionMemory from "../../src/layers/TransactionMemory.ts"
import * as VaultAesGcm from "../../src/layers/VaultAesGcm.ts"
import { Accounts } from "../../src/services/Accounts.ts"
import { Sessions } from "../../src/services/Sessions.ts"
import { Vault } from "../../src/services/Vault.ts"
import { sessionsContract } from "../support/sessionsContract.ts"
import { eventsSqlite } from "../support/storageLayers.ts"

const ground = Layer.merge(
  IdsUlid.layer,
  VaultAesGcm.layerWith(Redacted.make("a key of more than thirty-two characters"))
)

const onSqlite = SessionsSqlite.layer.pipe(
  Layer.provideMerge(AccountsSqlite.layer),
  Layer.provideMerge(eventsSqlite),
  Layer.provideMerge(ground)
)

sessionsContract(
  "SessionsMemory",
  SessionsMemory.layer.pipe(
    Layer.provideMerge(AccountsMemory.layer),
    Layer.provide(Layer.merge(TransactionMemory.layer, ground))
  )
)
sessionsContract("SessionsSqlite", onSqlite)

const header = { alg: "HS256", typ: "at+jwt" }

/** A session, and the parts of which somebody would make a token for it. */
const forging = Effect.gen(function* () {
  const sessions = yield* Sessions
  const sql = yield* SqlClient
  const vault = yield* Vault
  const user = yield* (yield* Accounts).invite("alice", "owner")
  const { accessToken, deviceId } = yield* sessions.open(user.id, "phone")
  const rows = yield* sql<{ id: string; sealed: Uint8Array }>`SELECT id, sealed FROM signing_keys`
  const { id: kid, sealed } = rows[0] ?? assert.fail("there is no key")
  const key = Buffer.from(Redacted.value(yield* vault.open(`signing key ${kid}`, sealed)), "base64url")
  const claims = {
    iss: "errand",
    aud: "errand-api",
    sub: user.id,
    sid: deviceId,
    iat: 0,
    exp: 600
  } satisfies Record<string, unknown>
  const make = (more: Record<string, unknown>, head: Record<string, unknown> = {}, bytes: Uint8Array = key) =>
    Effect.promise(() =>
      new SignJWT({ ...claims, ...more }).setProtectedHeader({ ...header, kid, ...head }).sign(bytes)
    )
  const isTaken = (token: string) => Effect.map(sessions.authenticate(Redacted.make(token)), Option.isSome)
  return { accessToken: Redacted.value(accessToken), claims, deviceId, isTaken, key, kid, make, user }
})

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")

describe("access tokens of sessions", () => {
  it.effect("are taken when they are as this server makes them", () =>
    Effect.gen(function* () {
      const { accessToken, isTaken, make } = yield* forging
      assert.isTrue(yield* isTaken(accessToken))
      assert.isTrue(yield* isTaken(yield* make({})))
    }).pipe(Effect.provide(onSqlite))
  )

  // Each fails with its check taken out: `issuer`, `audience`, `requiredClaims`, `maxTokenAge`, the length, headers that
  // nobody knows, the comparison of the user.
  it.effect("are refused when anything about them is not", () =>
    Effect.gen(function* () {
      const { accessToken, claims, isTaken, key, kid, make, user } = yield* forging
      const other = yield* (yield* Sessions).open((yield* (yield* Accounts).invite("bob", "member")).id, "phone")
      const [head = "", body = "", signature = ""] = accessToken.split(".")
      const none = `${encoded({ ...header, alg: "none", kid })}.${encoded(claims)}.`
      const wrong: Record<string, string> = {
        "alg none": none,
        "alg none with a signature": `${none}${signature}`,
        "alg HS512": yield* make({}, { alg: "HS512" }, Buffer.alloc(64, key)),
        "another type": yield* make({}, { typ: "JWT" }),
        "no type": `${encoded({ alg: "HS256", kid })}.${body}.${signature}`,
        "no key id": yield* make({}, { kid: undefined }),
        "a path as key id": yield* make({}, { kid: "../../secret.key" }),
        "an unknown key id": yield* make({}, { kid: "0".repeat(26) }),
        "a key id that queries": yield* make({}, { kid: "' OR 1=1 --" }),
        "a key of its own": yield* make({}, { jwk: { kty: "oct", k: "AAAA" } }),
        "a place of keys": yield* make({}, { jku: "https://evil.example/keys" }),
        "signed with another key": yield* make({}, {}, Buffer.alloc(32, 7)),
        "signed with the empty key": `${head}.${body}.`,
        "another audience": yield* make({ aud: "errand" }),
        "no audience": yield* make({ aud: undefined }),
        "another issuer": yield* make({ iss: "https://evil.example" }),
        over: yield* make({ iat: -700, exp: -100 }),
        "no end": yield* make({ exp: undefined }),
        "an end in words": yield* make({ exp: "600" }),
        "an end that never comes": yield* make({ exp: 1e300, iat: -601 }),
        "an end beyond numbers": yield* make({ exp: "1e309" }),
        "not yet good": yield* make({ nbf: 300 }),
        "made in the future": yield* make({ iat: 300 }),
        "no session": yield* make({ sid: undefined }),
        "a session that is not there": yield* make({ sid: `device_${"0".repeat(26)}` }),
        "the session of somebody else": yield* make({ sid: other.deviceId, sub: user.id }),
        "a list as session": yield* make({ sid: [claims.sid] }),
        "100 kB": yield* make({ more: "x".repeat(100_000) }),
        "one character less": accessToken.slice(0, -1),
        "a part more": `${accessToken}.${signature}`,
        nothing: "",
        dots: ".."
      }
      for (const [what, token] of Object.entries(wrong)) assert.isFalse(yield* isTaken(token), what)
    }).pipe(Effect.provide(onSqlite))
  )

  // Each fails with its check taken out: `alg`, `typ` and the pattern of `kid` in keyIdOf, `algorithms` and `typ` in
  // verifyAccessToken. Either of both looks is enough, so neither may rely on the other.
  it.effect("are refused by both who looks for their key and who verifies them", () =>
    Effect.gen(function* () {
      const { key, kid, make } = yield* forging
      const looks = Effect.fnUntraced(function* (token: string) {
        const verified = yield* verifyAccessToken(key, Redacted.make(token))
        return { kid: Option.getOrNull(keyIdOf(Redacted.make(token))), isVerified: Option.isSome(verified) }
      })
      assert.deepStrictEqual(yield* looks(yield* make({})), { kid, isVerified: true })
      const longer = yield* make({}, { alg: "HS512" }, Buffer.concat([key, key]))
      const isLonger = yield* verifyAccessToken(Buffer.concat([key, key]), Redacted.make(longer))
      assert.isTrue(Option.isNone(keyIdOf(Redacted.make(longer))) && Option.isNone(isLonger))
      const none = { kid: null, isVerified: false }
      assert.deepStrictEqual(yield* looks(yield* make({}, { typ: "JWT" })), none)
      assert.deepStrictEqual(yield* looks(yield* make({}, { typ: undefined })), none)
      for (const other of ["../../secret.key", "", "a".repeat(26), `${kid}A`]) {
        assert.deepStrictEqual(yield* looks(yield* make({}, { kid: other })), { kid: null, isVerified: true })
      }
    }).pipe(Effect.provide(onSqlite))
  )

  it.effect("say nothing of a failure of their key", () =>
    Effect.gen(function* () {
      const { accessToken } = yield* forging
      assert.isTrue(Option.isNone(yield* verifyAccessToken(new Uint8Array(32), Redacted.make(accessToken))))
    }).pipe(Effect.provide(onSqlite))
  )
})

describe("SessionsSqlite", () => {
  it.effect("stores no token and no key in clear", () =>
    Effect.gen(function* () {
      const sessions = yield* Sessions
      const sql = yield* SqlClient
      const user = yield* (yield* Accounts).invite("alice", "owner")
      const first = yield* sessions.open(user.id, "phone")
      const second = yield* sessions.refresh(first.refreshToken)
      const tables = [yield* sql`SELECT * FROM refresh_tokens`, yield* sql`SELECT * FROM signing_keys`]
      const stored = tables
        .flat()
        .flatMap((row) =>
          Object.values(row).map((value) =>
            value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : String(value)
          )
        )
      for (const { refreshToken } of [first, second]) {
        const secret = Redacted.value(refreshToken).slice("errand_refresh_".length)
        for (const value of stored) assert.notInclude(value, secret)
      }
    }).pipe(Effect.provide(onSqlite))
  )
})
