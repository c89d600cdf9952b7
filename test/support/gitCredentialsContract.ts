import { assert, describe, expect, it } from "@effect/vitest"
import { Effect, type Layer, Option, Redacted, TestClock } from "effect"
import { Accounts } from "../../src/services/Accounts.ts"
import { GitCredentials } from "../../src/services/GitCredentials.ts"

const token = (text: string) => ({ kind: "token", value: Redacted.make(text) }) as const
const key = (text: string) => ({ kind: "ssh_key", value: Redacted.make(text) }) as const

const owners = Effect.gen(function* () {
  const accounts = yield* Accounts
  const alice = yield* accounts.createToken("alice", { name: "phone", scopes: [] })
  const bob = yield* accounts.createToken("bob", { name: "phone", scopes: [] })
  return { alice: alice.user.id, bob: bob.user.id }
})

/** What every GitCredentials must do. */
export const gitCredentialsContract = <E>(name: string, layer: Layer.Layer<GitCredentials | Accounts, E>) => {
  const test = (title: string, body: Effect.Effect<void, unknown, GitCredentials | Accounts>) =>
    it.effect(title, () => Effect.provide(body, layer))

  describe(name, () => {
    test(
      "gives back what was put, for the same owner and host only",
      Effect.gen(function* () {
        const credentials = yield* GitCredentials
        const { alice, bob } = yield* owners
        yield* credentials.put(alice, "git.example", token("a"))
        assert.deepStrictEqual(yield* credentials.find(alice, "git.example"), Option.some(token("a")))
        assert.isTrue(Option.isNone(yield* credentials.find(bob, "git.example")))
        assert.isTrue(Option.isNone(yield* credentials.find(alice, "git.example:8443")))
      })
    )

    test(
      "replaces the credential of a host, also by another kind",
      Effect.gen(function* () {
        const credentials = yield* GitCredentials
        const { alice } = yield* owners
        yield* credentials.put(alice, "git.example", token("a"))
        yield* TestClock.adjust("1 minute")
        yield* credentials.put(alice, "git.example", key("-----BEGIN\nü\n"))
        assert.deepStrictEqual(yield* credentials.find(alice, "git.example"), Option.some(key("-----BEGIN\nü\n")))
        expect(yield* credentials.list(alice)).toEqual([
          { host: "git.example", kind: "ssh_key", updatedAt: "1970-01-01T00:01:00.000Z" }
        ])
      })
    )

    test(
      "knows a host in any case of its letters",
      Effect.gen(function* () {
        const credentials = yield* GitCredentials
        const { alice } = yield* owners
        yield* credentials.put(alice, "Git.Example", token("a"))
        assert.isTrue(Option.isSome(yield* credentials.find(alice, "git.example")))
        assert.isTrue(yield* credentials.remove(alice, "GIT.EXAMPLE"))
      })
    )

    test(
      "lists an owner's own hosts in order, and no values",
      Effect.gen(function* () {
        const credentials = yield* GitCredentials
        const { alice, bob } = yield* owners
        yield* credentials.put(alice, "b.example", token("canary"))
        yield* credentials.put(alice, "a.example", token("canary"))
        yield* credentials.put(bob, "c.example", token("canary"))
        const listed = yield* credentials.list(alice)
        assert.deepStrictEqual(
          listed.map(({ host }) => host),
          ["a.example", "b.example"]
        )
        assert.deepStrictEqual(Object.keys(listed[0] ?? {}).toSorted(), ["host", "kind", "updatedAt"])
      })
    )

    test(
      "removes, and says whether there was anything",
      Effect.gen(function* () {
        const credentials = yield* GitCredentials
        const { alice, bob } = yield* owners
        yield* credentials.put(alice, "git.example", token("a"))
        assert.isFalse(yield* credentials.remove(bob, "git.example"))
        assert.isTrue(yield* credentials.remove(alice, "git.example"))
        assert.isFalse(yield* credentials.remove(alice, "git.example"))
        assert.isTrue(Option.isNone(yield* credentials.find(alice, "git.example")))
      })
    )
  })
}
