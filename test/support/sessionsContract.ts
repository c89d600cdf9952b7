import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer, Option, Redacted, TestClock } from "effect"
import { Accounts } from "../../src/services/Accounts.ts"
import { Sessions } from "../../src/services/Sessions.ts"

const alice = Effect.gen(function* () {
  const accounts = yield* Accounts
  return yield* accounts.invite("alice", "owner")
})

const text = Redacted.value

/** What every Sessions must do. */
export const sessionsContract = <E>(name: string, layer: Layer.Layer<Sessions | Accounts, E>) => {
  const test = (title: string, body: Effect.Effect<void, unknown, Sessions | Accounts>) =>
    it.effect(title, () => Effect.provide(body, layer))

  describe(name, () => {
    test(
      "knows who shows an access token, for ten minutes",
      Effect.gen(function* () {
        const sessions = yield* Sessions
        const user = yield* alice
        const { accessToken, deviceId, expiresInSeconds } = yield* sessions.open(user.id, "phone")
        assert.strictEqual(expiresInSeconds, 600)
        assert.deepStrictEqual(
          yield* sessions.authenticate(accessToken),
          Option.some({ user, deviceId, scopes: ["read", "write"] as const })
        )
        yield* TestClock.adjust("599 seconds")
        assert.isTrue(Option.isSome(yield* sessions.authenticate(accessToken)))
        yield* TestClock.adjust("2 seconds")
        assert.isTrue(Option.isNone(yield* sessions.authenticate(accessToken)))
      })
    )

    test(
      "knows access tokens of scripts, and takes no token for one of another kind",
      Effect.gen(function* () {
        const sessions = yield* Sessions
        const accounts = yield* Accounts
        const user = yield* alice
        const { token } = yield* accounts.createToken("alice", { name: "script", scopes: ["read"] })
        assert.isTrue(Option.isSome(yield* sessions.authenticate(token)))
        const { accessToken, refreshToken } = yield* sessions.open(user.id, "phone")
        const { cookie } = yield* accounts.openBrowserSession(user.id, "browser")
        assert.isTrue(Option.isNone(yield* sessions.authenticate(refreshToken)))
        assert.isTrue(Option.isNone(yield* sessions.authenticate(cookie)))
        for (const wrong of [accessToken, token, cookie]) {
          assert.strictEqual((yield* Effect.flip(sessions.refresh(wrong)))._tag, "SessionEnded")
        }
        assert.isTrue(Option.isSome(yield* sessions.authenticate(accessToken)))
      })
    )

    // Fails when the stored successor is not given again (mutation: revoke on every second use).
    test(
      "gives a hundred refreshes of one token the same next one, and ends the session on a later one",
      Effect.gen(function* () {
        const sessions = yield* Sessions
        const user = yield* alice
        const { deviceId, refreshToken } = yield* sessions.open(user.id, "phone")
        const all = yield* Effect.all(
          Array.from({ length: 100 }, () => sessions.refresh(refreshToken)),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(new Set(all.map((next) => text(next.refreshToken))).size, 1)
        for (const next of all) {
          assert.strictEqual(next.deviceId, deviceId)
          assert.isTrue(Option.isSome(yield* sessions.authenticate(next.accessToken)))
        }
        const second = all[0]?.refreshToken ?? refreshToken
        const third = yield* sessions.refresh(second)
        // The first one again, inside its minute, still leads to the second.
        yield* TestClock.adjust("60 seconds")
        assert.strictEqual(text((yield* sessions.refresh(refreshToken)).refreshToken), text(second))
        yield* TestClock.adjust("1 second")
        const stolen = yield* Effect.flip(sessions.refresh(refreshToken))
        assert.isTrue(stolen._tag === "SessionEnded" && stolen.reused)
        // Fails when reuse only refuses (mutation: no revocation of the device).
        assert.isTrue(Option.isNone(yield* sessions.authenticate(third.accessToken)))
        assert.strictEqual((yield* Effect.flip(sessions.refresh(third.refreshToken)))._tag, "SessionEnded")
      })
    )

    test(
      "ends with its device at once",
      Effect.gen(function* () {
        const sessions = yield* Sessions
        const accounts = yield* Accounts
        const user = yield* alice
        const { accessToken, deviceId, refreshToken } = yield* sessions.open(user.id, "phone")
        const other = yield* sessions.open(user.id, "tablet")
        yield* accounts.revoke(Option.some(user.id), deviceId)
        assert.isTrue(Option.isNone(yield* sessions.authenticate(accessToken)))
        assert.strictEqual((yield* Effect.flip(sessions.refresh(refreshToken)))._tag, "SessionEnded")
        assert.isTrue(Option.isSome(yield* sessions.authenticate(other.accessToken)))
      })
    )

    test(
      "changes the key that signs, with an overlap or at once; sessions last",
      Effect.gen(function* () {
        const sessions = yield* Sessions
        const user = yield* alice
        const first = yield* sessions.open(user.id, "phone")
        yield* sessions.rotateKeys({ atOnce: false })
        const second = yield* sessions.refresh(first.refreshToken)
        assert.isTrue(Option.isSome(yield* sessions.authenticate(first.accessToken)))
        assert.isTrue(Option.isSome(yield* sessions.authenticate(second.accessToken)))
        yield* sessions.rotateKeys({ atOnce: true })
        assert.isTrue(Option.isNone(yield* sessions.authenticate(first.accessToken)))
        assert.isTrue(Option.isNone(yield* sessions.authenticate(second.accessToken)))
        const third = yield* sessions.refresh(second.refreshToken)
        assert.isTrue(Option.isSome(yield* sessions.authenticate(third.accessToken)))
      })
    )

    test(
      "is over when nobody refreshes it for 30 days",
      Effect.gen(function* () {
        const sessions = yield* Sessions
        const user = yield* alice
        const first = yield* sessions.open(user.id, "phone")
        yield* TestClock.adjust("29 days")
        const second = yield* sessions.refresh(first.refreshToken)
        yield* TestClock.adjust("30 days")
        const failure = yield* Effect.flip(sessions.refresh(second.refreshToken))
        assert.isTrue(failure._tag === "SessionEnded" && !failure.reused)
      })
    )
  })
}
