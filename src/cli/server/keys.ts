/** What `errand key` does: the key of secrets at rest, and the keys that sign access tokens. */
import { FileSystem } from "@effect/platform"
import { Effect, Layer, Option, Schema } from "effect"
import * as AccountsSqlite from "../../layers/AccountsSqlite.ts"
import { replaceKept } from "../../layers/keptFile.ts"
import * as SessionsSqlite from "../../layers/SessionsSqlite.ts"
import * as Sqlite from "../../layers/Sqlite.ts"
import * as TransactionSqlite from "../../layers/TransactionSqlite.ts"
import * as VaultAesGcm from "../../layers/VaultAesGcm.ts"
import { sealAnew } from "../../layers/vault/sealAnew.ts"
import { AppConfig } from "../../services/AppConfig.ts"
import { Sessions } from "../../services/Sessions.ts"
import { line } from "../render/Line.ts"
import { print, writeJson } from "../Screen.ts"
import { directory } from "./pairings.ts"
import * as settings from "./settings.ts"

/** Older keys can't be forgotten while something needs them. */
export class KeysStillNeeded extends Schema.TaggedError<KeysStillNeeded>()("KeysStillNeeded", { lost: Schema.Int }) {
  override get message() {
    return `${this.lost} stored secrets open with no known key. The older keys were kept: restore the key that is missing, or let the owners store those secrets again.`
  }
}

const vault = Layer.provide(VaultAesGcm.layer, directory)

const layer = SessionsSqlite.layer.pipe(
  Layer.provideMerge(AccountsSqlite.layer),
  Layer.provideMerge(TransactionSqlite.layer),
  Layer.provideMerge(Sqlite.layerShared),
  Layer.provideMerge(vault)
)

const onDataDir = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const built = yield* Layer.build(settings.layer)
      return yield* Effect.provide(effect, built)
    })
  )

const withLayer = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.scoped(Effect.flatMap(Layer.build(layer), (context) => Effect.provide(effect, context)))

/** A new first line; the server reads the file again when it has changed. */
const addKey = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  const before = (yield* files.exists(path)) ? (yield* files.readFileString(path)).trim() : ""
  const fresh = yield* VaultAesGcm.newSecretKey
  yield* replaceKept(path, before === "" ? fresh : `${fresh}\n${before}`)
})

const forgetOlder = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  const [first = ""] = (yield* files.readFileString(path)).split("\n")
  yield* replaceKept(path, first.trim())
})

export const rotate = Effect.fn("key rotate")(function* (options: {
  readonly forgetOlder: boolean
  readonly json: boolean
}) {
  const sealed = yield* onDataDir(
    Effect.gen(function* () {
      const { dataDir, secretKey } = yield* AppConfig
      const path = VaultAesGcm.secretKeyPath(dataDir)
      const files = yield* FileSystem.FileSystem
      yield* files.makeDirectory(dataDir, { recursive: true, mode: 0o700 })
      // A key in the environment is changed there, with the one before it beside it.
      if (Option.isNone(secretKey)) yield* addKey(path)
      const done = yield* withLayer(sealAnew)
      if (options.forgetOlder && done.lost > 0) return yield* new KeysStillNeeded({ lost: done.lost })
      if (options.forgetOlder && Option.isNone(secretKey)) yield* forgetOlder(path)
      return done
    })
  )
  yield* options.json
    ? writeJson(sealed)
    : print(
        line(`${sealed.renewed} secrets are sealed with the new key.`),
        ...(sealed.lost === 0
          ? []
          : [line(`${sealed.lost} open with no known key: their owners have to store them again.`)])
      )
})

export const rotateSigning = Effect.fn("key rotate-signing")(function* (options: {
  readonly atOnce: boolean
  readonly json: boolean
}) {
  yield* onDataDir(withLayer(Effect.flatMap(Sessions, (sessions) => sessions.rotateKeys({ atOnce: options.atOnce }))))
  yield* options.json
    ? writeJson({ rotated: true, atOnce: options.atOnce })
    : print(
        line(
          options.atOnce
            ? "Every access token is over now; devices renew theirs by themselves."
            : "A new key signs; access tokens of the one before are good for ten more minutes."
        )
      )
})
