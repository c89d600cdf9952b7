import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck, Layer, Option, Redacted } from "effect"
import * as AppConfigEnv from "../../src/layers/AppConfigEnv.ts"
import { DataDir } from "../../src/layers/DataDirLock.ts"
import { layer, layerWith } from "../../src/layers/VaultAesGcm.ts"
import { Vault } from "../../src/services/Vault.ts"

const someKey = Redacted.make("a key of more than thirty-two characters")
const otherKey = Redacted.make("another key of more than thirty-two characters")
const secret = Redacted.make("glpat-canary")

const withKey = layerWith(someKey)

const vaultIn = (path: string, secretKey: Option.Option<Redacted.Redacted>) =>
  layer.pipe(
    Layer.provide([
      AppConfigEnv.layerWith({ dataDir: path, secretKey }),
      Layer.succeed(DataDir, { path, serverId: "server" })
    ])
  )

const seal = (purpose: string) => Effect.flatMap(Vault, (vault) => vault.seal(purpose, secret))
const open = (purpose: string, sealed: Uint8Array) => Effect.flatMap(Vault, (vault) => vault.open(purpose, sealed))

describe("Vault", () => {
  it.effect.prop("opens what it sealed", [FastCheck.fullUnicodeString(), FastCheck.string()], ([text, purpose]) =>
    Effect.gen(function* () {
      const vault = yield* Vault
      const sealed = yield* vault.seal(purpose, Redacted.make(text))
      assert.strictEqual(Redacted.value(yield* vault.open(purpose, sealed)), text)
    }).pipe(Effect.provide(withKey))
  )

  it.effect("seals the same secret differently each time, and shows nothing of it", () =>
    Effect.gen(function* () {
      const sealed = yield* Effect.replicateEffect(seal("git"), 50)
      assert.strictEqual(new Set(sealed.map((bytes) => Buffer.from(bytes).toString("hex"))).size, 50)
      for (const bytes of sealed) assert.notInclude(Buffer.from(bytes).toString("latin1"), Redacted.value(secret))
    }).pipe(Effect.provide(withKey))
  )

  it.effect("opens for the same purpose only", () =>
    Effect.gen(function* () {
      const sealed = yield* seal("git:alice")
      assert.strictEqual((yield* Effect.flip(open("git:bob", sealed)))._tag, "VaultLocked")
    }).pipe(Effect.provide(withKey))
  )

  it.effect("opens nothing in which a single byte was changed, nor a part of it", () =>
    Effect.gen(function* () {
      const sealed = yield* seal("git")
      for (let index = 0; index < sealed.length; index++) {
        const changed = Uint8Array.from(sealed)
        changed[index] = (changed[index] ?? 0) ^ 1
        assert.strictEqual((yield* Effect.flip(open("git", changed)))._tag, "VaultLocked")
        assert.strictEqual((yield* Effect.flip(open("git", sealed.slice(0, index))))._tag, "VaultLocked")
      }
    }).pipe(Effect.provide(withKey))
  )

  it.effect("does not open with another key", () =>
    Effect.gen(function* () {
      const sealed = yield* Effect.provide(seal("git"), withKey)
      const failure = yield* open("git", sealed).pipe(Effect.provide(layerWith(otherKey)), Effect.flip)
      assert.include(failure.message, "ERRAND_SECRET_KEY")
    })
  )

  it.scoped("makes a key file for the owner alone, and uses it again after a restart", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const path = yield* files.makeTempDirectoryScoped()
      const sealed = yield* Effect.provide(seal("git"), vaultIn(path, Option.none()))
      expect((yield* files.stat(`${path}/secret.key`)).mode & 0o777).toBe(0o600)
      expect(yield* files.readDirectory(path)).toEqual(["secret.key"])

      yield* files.chmod(`${path}/secret.key`, 0o644)
      const opened = yield* Effect.provide(open("git", sealed), vaultIn(path, Option.none()))
      assert.strictEqual(Redacted.value(opened), Redacted.value(secret))
      expect((yield* files.stat(`${path}/secret.key`)).mode & 0o777).toBe(0o600)

      const text = (yield* files.readFileString(`${path}/secret.key`)).trim()
      const moved = yield* Effect.provide(open("git", sealed), layerWith(Redacted.make(text)))
      assert.strictEqual(Redacted.value(moved), Redacted.value(secret))
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scoped("makes no key file when the key is a setting", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const path = yield* files.makeTempDirectoryScoped()
      yield* Effect.provide(seal("git"), vaultIn(path, Option.some(someKey)))
      expect(yield* files.readDirectory(path)).toEqual([])
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scoped("refuses a key file that was cut short, and leaves it as it is", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const path = yield* files.makeTempDirectoryScoped()
      yield* files.writeFileString(`${path}/secret.key`, "short", { mode: 0o600 })
      const failure = yield* seal("git").pipe(Effect.provide(vaultIn(path, Option.none())), Effect.flip)
      assert.strictEqual(failure._tag, "SecretKeyUnusable")
      assert.notInclude(failure.message, "short\n")
      assert.strictEqual(yield* files.readFileString(`${path}/secret.key`), "short")
    }).pipe(Effect.provide(NodeContext.layer))
  )
})
