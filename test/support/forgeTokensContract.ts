import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer, Option, Redacted, TestClock } from "effect"
import { Accounts } from "../../src/services/Accounts.ts"
import { type ForgeGrant, ForgeTokens } from "../../src/services/ForgeTokens.ts"

export const lasting = (text: string): ForgeGrant => ({
  token: Redacted.make(text),
  expiresAt: null,
  refreshToken: null
})

const owners = Effect.gen(function* () {
  const accounts = yield* Accounts
  const alice = yield* accounts.createToken("alice", { name: "phone", scopes: [] })
  const bob = yield* accounts.createToken("bob", { name: "phone", scopes: [] })
  return { alice: alice.user.id, bob: bob.user.id }
})

/** What every ForgeTokens must do. */
export const forgeTokensContract = <E>(name: string, layer: Layer.Layer<ForgeTokens | Accounts, E>) => {
  const test = (title: string, body: Effect.Effect<void, unknown, ForgeTokens | Accounts>) =>
    it.effect(title, () => Effect.provide(body, layer))

  describe(name, () => {
    test(
      "gives a token to its owner and for its forge only",
      Effect.gen(function* () {
        const { alice, bob } = yield* owners
        const tokens = yield* ForgeTokens
        yield* tokens.put(alice, "github.com", lasting("gho_alice"))
        assert.strictEqual(Redacted.value(yield* tokens.tokenFor(alice, "GitHub.com")), "gho_alice")
        for (const asked of [tokens.tokenFor(bob, "github.com"), tokens.tokenFor(alice, "github.example")]) {
          const failure = yield* Effect.flip(asked)
          assert.strictEqual(failure._tag === "ReconnectNeeded" && failure.reason, "never")
        }
      })
    )

    test(
      "takes a token that the forge refused for lost, but not one that came after it",
      Effect.gen(function* () {
        const { alice } = yield* owners
        const tokens = yield* ForgeTokens
        yield* tokens.put(alice, "github.com", lasting("gho_first"))
        yield* tokens.put(alice, "github.com", lasting("gho_second"))
        yield* tokens.refused(alice, "github.com", Redacted.make("gho_first"))
        assert.strictEqual(Redacted.value(yield* tokens.tokenFor(alice, "github.com")), "gho_second")
        yield* tokens.refused(alice, "github.com", Redacted.make("gho_second"))
        const failure = yield* Effect.flip(tokens.tokenFor(alice, "github.com"))
        assert.strictEqual(failure._tag === "ReconnectNeeded" && failure.reason, "lost")
        assert.strictEqual(Option.getOrThrow(yield* tokens.find(alice, "github.com")).status, "lost")

        yield* TestClock.adjust("1 second")
        yield* tokens.put(alice, "github.com", lasting("gho_third"))
        assert.strictEqual(Redacted.value(yield* tokens.tokenFor(alice, "github.com")), "gho_third")
        assert.deepStrictEqual(
          yield* tokens.find(alice, "github.com"),
          Option.some({ host: "github.com", status: "connected", updatedAt: "1970-01-01T00:00:01.000Z" })
        )
      })
    )

    test(
      "forgets a grant",
      Effect.gen(function* () {
        const { alice } = yield* owners
        const tokens = yield* ForgeTokens
        yield* tokens.put(alice, "github.com", lasting("gho_alice"))
        assert.isTrue(yield* tokens.remove(alice, "github.com"))
        assert.isFalse(yield* tokens.remove(alice, "github.com"))
        assert.isTrue(Option.isNone(yield* tokens.find(alice, "github.com")))
      })
    )
  })
}
