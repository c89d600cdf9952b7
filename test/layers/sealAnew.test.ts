/** A change of the key of secrets at rest, while somebody uses them. */
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import * as AccountsSqlite from "../../src/layers/AccountsSqlite.ts"
import * as AppConfigEnv from "../../src/layers/AppConfigEnv.ts"
import { DataDir } from "../../src/layers/DataDirLock.ts"
import * as ForgeTokensSqlite from "../../src/layers/ForgeTokensSqlite.ts"
import * as GitCredentialsSqlite from "../../src/layers/GitCredentialsSqlite.ts"
import * as IdsUlid from "../../src/layers/IdsUlid.ts"
import { replaceKept } from "../../src/layers/keptFile.ts"
import * as PairingsTickets from "../../src/layers/PairingsTickets.ts"
import * as SecretsSqlite from "../../src/layers/SecretsSqlite.ts"
import * as SessionsSqlite from "../../src/layers/SessionsSqlite.ts"
import * as TicketsSqlite from "../../src/layers/TicketsSqlite.ts"
import { sealAnew } from "../../src/layers/vault/sealAnew.ts"
import * as VaultAesGcm from "../../src/layers/VaultAesGcm.ts"
import { Accounts } from "../../src/services/Accounts.ts"
import { ForgeSignIn } from "../../src/services/ForgeSignIn.ts"
import { ForgeTokens } from "../../src/services/ForgeTokens.ts"
import { GitCredentials } from "../../src/services/GitCredentials.ts"
import { Pairings } from "../../src/services/Pairings.ts"
import { Secrets } from "../../src/services/Secrets.ts"
import { Sessions } from "../../src/services/Sessions.ts"
import { eventsSqlite } from "../support/storageLayers.ts"

const noForge = Layer.mock(ForgeSignIn, {
  host: Option.none(),
  authorizationUrl: () => "",
  startDevice: Effect.die("not asked")
})

const storage = Layer.mergeAll(
  SessionsSqlite.layer,
  PairingsTickets.layer,
  GitCredentialsSqlite.layer,
  SecretsSqlite.layer,
  Layer.provide(ForgeTokensSqlite.layer, noForge)
).pipe(Layer.provideMerge(Layer.merge(AccountsSqlite.layer, TicketsSqlite.layer)))

const onDirectory = <A, E>(
  body: (
    path: string
  ) => Effect.Effect<
    A,
    E,
    | Accounts
    | Sessions
    | Pairings
    | Secrets
    | GitCredentials
    | ForgeTokens
    | Layer.Layer.Success<typeof eventsSqlite>
    | Layer.Layer.Success<typeof VaultAesGcm.layer>
    | NodeContext.NodeContext
  >
) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = yield* files.makeTempDirectoryScoped({ prefix: "errand-keys-" })
    const ground = Layer.mergeAll(
      Layer.succeed(DataDir, { path, serverId: "server" }),
      AppConfigEnv.layerWith({ dataDir: path })
    )
    const whole = storage.pipe(
      Layer.provideMerge(eventsSqlite),
      Layer.provideMerge(IdsUlid.layer),
      Layer.provideMerge(Layer.provide(VaultAesGcm.layer, ground))
    )
    return yield* Effect.provide(body(VaultAesGcm.secretKeyPath(path)), whole)
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

const addKey = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  yield* replaceKept(path, `${yield* VaultAesGcm.newSecretKey}\n${(yield* files.readFileString(path)).trim()}`)
})

const onlyFirst = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  yield* replaceKept(path, (yield* files.readFileString(path)).split("\n", 1)[0] ?? "")
})

/** One secret of each kind, and a look at whether all of them still open. */
const belongings = Effect.gen(function* () {
  const { user } = yield* (yield* Accounts).createToken("ann", { name: "phone", scopes: [] })
  const sessions = yield* Sessions
  const credentials = yield* GitCredentials
  const tokens = yield* ForgeTokens
  const pairings = yield* Pairings
  yield* credentials.put(user.id, "git.example", { kind: "token", value: Redacted.make("canary-1") })
  yield* tokens.put(user.id, "github.com", { token: Redacted.make("canary-2"), expiresAt: null, refreshToken: null })
  const secrets = yield* Secrets
  yield* secrets.put(user.id, {
    name: "NPM_TOKEN",
    hosts: ["npm.example"],
    value: Redacted.make("canary-3")
  })
  const { pairing } = yield* pairings.open("ann", Option.none())
  const first = yield* sessions.open(user.id, "phone")
  const second = yield* sessions.refresh(first.refreshToken)
  return Effect.gen(function* () {
    const credential = yield* credentials.find(user.id, "git.example")
    assert.strictEqual(Redacted.value(Option.getOrThrow(credential).value), "canary-1")
    assert.strictEqual(Redacted.value(yield* tokens.tokenFor(user.id, "github.com")), "canary-2")
    const [secret] = yield* secrets.find(user.id, ["NPM_TOKEN"])
    assert.strictEqual(secret === undefined ? "" : Redacted.value(secret.value), "canary-3")
    assert.isTrue(Option.isSome(yield* pairings.find(pairing.id)))
    assert.isTrue(Option.isSome(yield* sessions.authenticate(first.accessToken)))
    const repeated = yield* sessions.refresh(first.refreshToken)
    assert.strictEqual(Redacted.value(repeated.refreshToken), Redacted.value(second.refreshToken))
  })
})

describe("a new key for secrets at rest", () => {
  it.effect("seals everything anew while the server uses it, and then does without the old one", () =>
    onDirectory((path) =>
      Effect.gen(function* () {
        const allOpen = yield* belongings
        yield* addKey(path)
        // Fails when older keys don't open (mutation: only the first line counts).
        yield* allOpen
        // Fails when a column is not in the list: its secrets are gone with the old key.
        assert.deepStrictEqual(yield* sealAnew, { renewed: 6, lost: 0 })
        assert.deepStrictEqual(yield* sealAnew, { renewed: 0, lost: 0 })
        yield* allOpen
        yield* onlyFirst(path)
        yield* allOpen
      })
    )
  )

  it.effect("can be broken off at any row and begun again", () =>
    onDirectory((path) =>
      Effect.gen(function* () {
        const allOpen = yield* belongings
        const sql = yield* SqlClient
        const before = yield* sql`SELECT kind, name, sealed FROM tickets`
        yield* addKey(path)
        yield* sealAnew
        // One row as it was, and a second new key, as after a crash.
        for (const row of before) yield* sql`UPDATE tickets SET sealed = ${row["sealed"] as Uint8Array}`
        yield* addKey(path)
        yield* allOpen
        assert.deepStrictEqual(yield* sealAnew, { renewed: 6, lost: 0 })
        yield* onlyFirst(path)
        yield* allOpen
      })
    )
  )

  it.effect("tells what no key opens, and leaves it as it is", () =>
    onDirectory((path) =>
      Effect.gen(function* () {
        yield* belongings
        yield* replaceKept(path, yield* VaultAesGcm.newSecretKey)
        assert.deepStrictEqual(yield* sealAnew, { renewed: 0, lost: 6 })
      })
    )
  )

  it("names every column that is sealed", async () => {
    const found = await Effect.runPromise(
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const rows = yield* sql<{ name: string; sql: string }>`
          SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%sealed%'`
        return rows.map(({ name }) => name)
      }).pipe(Effect.provide(eventsSqlite))
    )
    const { columns } = await import("../../src/layers/vault/sealAnew.ts")
    assert.sameMembers([...found], [...new Set(columns.map(({ table }) => table))])
  })
})
