import { assert, describe, expect, it } from "@effect/vitest"
import { Effect, type Layer, Redacted, TestClock } from "effect"
import { Accounts } from "../../src/services/Accounts.ts"
import { mostSecrets, type Secret, Secrets } from "../../src/services/Secrets.ts"

export const secretOf = (name: string, value: string, ...hosts: ReadonlyArray<string>): Secret => ({
  name,
  hosts: hosts.length === 0 ? ["api.example"] : hosts,
  value: Redacted.make(value)
})

const owners = Effect.gen(function* () {
  const accounts = yield* Accounts
  const alice = yield* accounts.createToken("alice", { name: "phone", scopes: [] })
  const bob = yield* accounts.createToken("bob", { name: "phone", scopes: [] })
  return { alice: alice.user.id, bob: bob.user.id }
})

/** What every Secrets must do. */
export const secretsContract = <E>(title: string, layer: Layer.Layer<Secrets | Accounts, E>) => {
  const test = (title: string, body: Effect.Effect<void, unknown, Secrets | Accounts>) =>
    it.effect(title, () => Effect.provide(body, layer))

  describe(title, () => {
    test(
      "gives back what was put, to the same owner, in the order that is asked for",
      Effect.gen(function* () {
        const secrets = yield* Secrets
        const { alice, bob } = yield* owners
        const [a, b] = [secretOf("A", "value of a"), secretOf("B", "value of b", "b.example", "c.example")]
        yield* secrets.put(alice, a)
        yield* secrets.put(alice, b)
        assert.deepStrictEqual(yield* secrets.find(alice, ["B", "none", "A"]), [b, a])
        assert.deepStrictEqual(yield* secrets.find(bob, ["A", "B"]), [])
        assert.deepStrictEqual(yield* secrets.find(alice, ["a"]), [])
      })
    )

    test(
      "replaces value and hosts together",
      Effect.gen(function* () {
        const secrets = yield* Secrets
        const { alice } = yield* owners
        yield* secrets.put(alice, secretOf("TOKEN", "the old value", "old.example"))
        yield* TestClock.adjust("1 minute")
        yield* secrets.put(alice, secretOf("TOKEN", "the new value", "new.example"))
        assert.deepStrictEqual(yield* secrets.find(alice, ["TOKEN"]), [
          secretOf("TOKEN", "the new value", "new.example")
        ])
        expect(yield* secrets.list(alice)).toEqual([
          { name: "TOKEN", hosts: ["new.example"], updatedAt: "1970-01-01T00:01:00.000Z" }
        ])
      })
    )

    test(
      "lists an owner's own in order, and no values",
      Effect.gen(function* () {
        const secrets = yield* Secrets
        const { alice, bob } = yield* owners
        yield* secrets.put(alice, secretOf("B", "canary of b"))
        yield* secrets.put(alice, secretOf("A", "canary of a"))
        yield* secrets.put(bob, secretOf("C", "canary of c"))
        const listed = yield* secrets.list(alice)
        assert.deepStrictEqual(
          listed.map(({ name }) => name),
          ["A", "B"]
        )
        assert.deepStrictEqual(Object.keys(listed[0] ?? {}).toSorted(), ["hosts", "name", "updatedAt"])
      })
    )

    test(
      "removes, and says whether there was anything",
      Effect.gen(function* () {
        const secrets = yield* Secrets
        const { alice, bob } = yield* owners
        yield* secrets.put(alice, secretOf("TOKEN", "some value"))
        assert.isFalse(yield* secrets.remove(bob, "TOKEN"))
        assert.isTrue(yield* secrets.remove(alice, "TOKEN"))
        assert.isFalse(yield* secrets.remove(alice, "TOKEN"))
        assert.deepStrictEqual(yield* secrets.find(alice, ["TOKEN"]), [])
      })
    )

    test(
      "keeps so many for each owner, and replaces also then",
      Effect.gen(function* () {
        const secrets = yield* Secrets
        const { alice, bob } = yield* owners
        yield* Effect.forEach(
          Array.from({ length: mostSecrets }, (_, n) => secretOf(`S${n}`, "some value")),
          (secret) => secrets.put(alice, secret)
        )
        const refused = yield* Effect.flip(secrets.put(alice, secretOf("ONE_MORE", "some value")))
        assert.strictEqual(refused._tag, "TooManySecrets")
        yield* secrets.put(alice, secretOf("S0", "another value"))
        yield* secrets.put(bob, secretOf("ONE_MORE", "some value"))
      })
    )
  })
}
