import { assert, describe, expect, it } from "@effect/vitest"
import { Effect, type Layer, Option, Redacted, TestClock } from "effect"
import { Accounts } from "../../src/services/Accounts.ts"
import { DeviceId, UserId } from "../../src/services/Ids.ts"

const phone = { name: "phone", scopes: ["read", "write"] } as const
const script = { name: "script", scopes: ["read"] } as const

/** What every Accounts must do. */
export const accountsContract = <E>(name: string, layer: Layer.Layer<Accounts, E>) => {
  const test = (title: string, body: Effect.Effect<void, unknown, Accounts>) =>
    it.effect(title, () => Effect.provide(body, layer))

  describe(name, () => {
    test(
      "makes the first login the owner, and every other one a member",
      Effect.gen(function* () {
        const accounts = yield* Accounts
        const first = yield* accounts.createToken("alice", phone)
        const second = yield* accounts.createToken("bob", phone)
        const again = yield* accounts.createToken("alice", script)
        assert.strictEqual(first.user.role, "owner")
        assert.strictEqual(second.user.role, "member")
        assert.deepStrictEqual(again.user, first.user)
        assert.deepStrictEqual(yield* accounts.user(first.user.id), Option.some(first.user))
        assert.deepStrictEqual(yield* accounts.userByLogin("bob"), Option.some(second.user))
        assert.isTrue(Option.isNone(yield* accounts.userByLogin("carol")))
        assert.isTrue(Option.isNone(yield* accounts.user(UserId.make(`user_${"0".repeat(26)}`))))
      })
    )

    test(
      "takes logins for the same that differ in case only",
      Effect.gen(function* () {
        const accounts = yield* Accounts
        const first = yield* accounts.createToken("Alice", phone)
        const second = yield* accounts.createToken("aLICE", phone)
        assert.deepStrictEqual(second.user, first.user)
        assert.deepStrictEqual(yield* accounts.userByLogin("alice"), Option.some(first.user))
      })
    )

    test(
      "makes one user of many tokens for a new login at the same time",
      Effect.gen(function* () {
        const accounts = yield* Accounts
        const made = yield* Effect.all(
          Array.from({ length: 20 }, () => accounts.createToken("alice", phone)),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(new Set(made.map(({ user }) => user.id)).size, 1)
        assert.lengthOf(yield* accounts.devices(Option.none()), 20)
      })
    )

    test(
      "refuses what can't be a login",
      Effect.gen(function* () {
        const accounts = yield* Accounts
        for (const login of ["", "-a", "a-", "a--b", "a b", "a/b", "ä", "a\n", "a".repeat(40)]) {
          const refusal = yield* Effect.flip(accounts.createToken(login, phone))
          assert.strictEqual(refusal._tag, "LoginRefused", login)
        }
        assert.deepStrictEqual(yield* accounts.devices(Option.none()), [])
        yield* accounts.createToken("a".repeat(39), phone)
        yield* accounts.createToken("a-1-B", phone)
      })
    )

    test(
      "knows the bearer of a token, and nobody else",
      Effect.gen(function* () {
        const accounts = yield* Accounts
        const { device, token, user } = yield* accounts.createToken("alice", script)
        const text = Redacted.value(token)
        assert.match(text, /^errand_pat_[0-9A-Za-z]{49}$/)
        assert.deepStrictEqual(
          yield* accounts.authenticate(token),
          Option.some({ user, deviceId: device.id, scopes: ["read"] })
        )
        const wrong = [
          "",
          "errand_pat_",
          text.slice(0, -1),
          `${text} `,
          text.toLowerCase(),
          text.replace("_pat_", "_pet_")
        ]
        for (const other of wrong) {
          assert.isTrue(Option.isNone(yield* accounts.authenticate(Redacted.make(other))), other)
        }
      })
    )

    test(
      "lists devices without anything secret, for one user or for all",
      Effect.gen(function* () {
        const accounts = yield* Accounts
        const alice = yield* accounts.createToken("alice", phone)
        yield* TestClock.adjust("1 second")
        const bob = yield* accounts.createToken("bob", script)
        yield* TestClock.adjust("1 second")
        const more = yield* accounts.createToken("alice", script)
        const all = yield* accounts.devices(Option.none())
        assert.deepStrictEqual(all, [
          { ...alice.device, login: "alice" },
          { ...bob.device, login: "bob" },
          { ...more.device, login: "alice" }
        ])
        expect(yield* accounts.devices(Option.some(bob.user.id))).toEqual([{ ...bob.device, login: "bob" }])
        assert.deepStrictEqual(Object.keys(all[0] ?? {}).toSorted(), [
          "createdAt",
          "id",
          "kind",
          "lastSeenAt",
          "login",
          "name",
          "revokedAt",
          "scopes"
        ])
      })
    )

    test(
      "notes when a device was last seen, once a minute at most",
      Effect.gen(function* () {
        const accounts = yield* Accounts
        const { token, user } = yield* accounts.createToken("alice", phone)
        const lastSeen = Effect.map(accounts.devices(Option.some(user.id)), ([device]) => device?.lastSeenAt)
        assert.isNull(yield* lastSeen)
        yield* accounts.authenticate(token)
        assert.strictEqual(yield* lastSeen, "1970-01-01T00:00:00.000Z")
        yield* TestClock.adjust("59 seconds")
        yield* accounts.authenticate(token)
        assert.strictEqual(yield* lastSeen, "1970-01-01T00:00:00.000Z")
        yield* TestClock.adjust("1 second")
        yield* accounts.authenticate(token)
        assert.strictEqual(yield* lastSeen, "1970-01-01T00:01:00.000Z")
      })
    )

    test(
      "ends a token when its device is revoked, for the owner of the device only",
      Effect.gen(function* () {
        const accounts = yield* Accounts
        const alice = yield* accounts.createToken("alice", phone)
        const bob = yield* accounts.createToken("bob", phone)
        const missing = DeviceId.make(`device_${"0".repeat(25)}9`)
        assert.isFalse(yield* accounts.revoke(Option.some(bob.user.id), alice.device.id))
        assert.isFalse(yield* accounts.revoke(Option.none(), missing))
        assert.isTrue(Option.isSome(yield* accounts.authenticate(alice.token)))

        yield* TestClock.adjust("1 hour")
        assert.isTrue(yield* accounts.revoke(Option.some(alice.user.id), alice.device.id))
        yield* TestClock.adjust("1 hour")
        assert.isTrue(yield* accounts.revoke(Option.none(), alice.device.id))
        assert.isTrue(Option.isNone(yield* accounts.authenticate(alice.token)))
        assert.isTrue(Option.isSome(yield* accounts.authenticate(bob.token)))
        const [device] = yield* accounts.devices(Option.some(alice.user.id))
        assert.strictEqual(device?.revokedAt, "1970-01-01T01:00:00.000Z")
      })
    )

    test(
      "ends a session that nobody uses after 30 days, and every one after 90",
      Effect.gen(function* () {
        const accounts = yield* Accounts
        const { user } = yield* accounts.createToken("alice", phone)
        const used = yield* accounts.openSession(user.id, "used")
        const forgotten = yield* accounts.openSession(user.id, "forgotten")
        assert.strictEqual(used.kind, "session")
        for (let days = 0; days < 75; days += 25) {
          yield* TestClock.adjust("25 days")
          assert.isTrue(Option.isSome(yield* accounts.principal(used.id)), String(days))
        }
        assert.isTrue(Option.isNone(yield* accounts.principal(forgotten.id)))
        yield* TestClock.adjust("15 days")
        assert.isTrue(Option.isNone(yield* accounts.principal(used.id)))
      })
    )

    test(
      "knows a browser by its cookie, which is no access token",
      Effect.gen(function* () {
        const accounts = yield* Accounts
        const { token, user } = yield* accounts.createToken("alice", phone)
        const { cookie, device } = yield* accounts.openBrowserSession(user.id, "browser")
        assert.deepStrictEqual(
          yield* accounts.authenticateBrowser(cookie),
          Option.some({ user, deviceId: device.id, scopes: ["read", "write"] as const })
        )
        assert.isTrue(Option.isNone(yield* accounts.authenticate(cookie)))
        assert.isTrue(Option.isNone(yield* accounts.authenticateBrowser(token)))
        yield* accounts.revoke(Option.some(user.id), device.id)
        assert.isTrue(Option.isNone(yield* accounts.authenticateBrowser(cookie)))
      })
    )

    test(
      "invites, changes roles and removes, and always keeps an owner",
      Effect.gen(function* () {
        const accounts = yield* Accounts
        const { token, user: alice } = yield* accounts.createToken("alice", phone)
        yield* TestClock.adjust("1 second")
        const bob = yield* accounts.invite("bob", "member")
        assert.deepStrictEqual(yield* accounts.users, [alice, bob])
        assert.strictEqual((yield* Effect.flip(accounts.remove(alice.id)))._tag, "LastOwner")
        assert.strictEqual((yield* Effect.flip(accounts.invite("Alice", "member")))._tag, "LastOwner")
        assert.deepStrictEqual(yield* accounts.invite("bob", "owner"), { ...bob, role: "owner" })
        assert.isTrue(yield* accounts.remove(alice.id))
        assert.isFalse(yield* accounts.remove(alice.id))
        assert.isTrue(Option.isNone(yield* accounts.authenticate(token)))
        assert.isTrue(Option.isNone(yield* accounts.userByLogin("alice")))
        assert.isTrue(Option.isNone(yield* accounts.user(alice.id)))
        assert.deepStrictEqual(yield* accounts.users, [{ ...bob, role: "owner" }])
        assert.strictEqual((yield* accounts.invite("alice", "member")).role, "member")
        assert.isTrue(Option.isNone(yield* accounts.authenticate(token)))
      })
    )

    test(
      "knows who comes from a forge by what names them for ever",
      Effect.gen(function* () {
        const accounts = yield* Accounts
        const host = "github.com"
        const { user: alice } = yield* accounts.createToken("alice", phone)
        const arrive = (subject: string, login: string, admit: Option.Option<"owner" | "member"> = Option.none()) =>
          accounts.arrive({ host, subject, login }, admit)
        assert.deepStrictEqual(yield* arrive("1", "Alice"), Option.some(alice))
        assert.deepStrictEqual(yield* arrive("1", "alice-renamed"), Option.some(alice))
        // Somebody else took the login that Alice gave up.
        assert.isTrue(Option.isNone(yield* arrive("2", "alice", Option.some("owner"))))
        assert.isTrue(Option.isNone(yield* arrive("3", "carol")))
        const carol = Option.getOrThrow(yield* arrive("3", "carol", Option.some("member")))
        assert.strictEqual(carol.role, "member")
        assert.isTrue(yield* accounts.remove(carol.id))
        assert.isTrue(Option.isNone(yield* arrive("3", "carol", Option.some("member"))))
        assert.isTrue(Option.isNone(yield* arrive("4", "carol", Option.some("member"))))
      })
    )
  })
}
