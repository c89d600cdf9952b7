/** What `errand restore` does. */
import * as Reactivity from "@effect/experimental/Reactivity"
import { FileSystem } from "@effect/platform"
import { Console, Effect, Layer, Schema } from "effect"
import { DataDirInUse, isLockedByOther, lock } from "../../layers/DataDirLock.ts"
import { proveAndRecord } from "../../layers/backup/proof.ts"
import { restore as putBack } from "../../layers/backup/restore.ts"
import { fileIn } from "../../layers/Sqlite.ts"
import { AppConfig } from "../../services/AppConfig.ts"
import { duration } from "../render/figures.ts"
import { line, span } from "../render/Line.ts"
import { print, writeJson } from "../Screen.ts"
import * as settings from "./settings.ts"

interface Options {
  readonly source: string
  readonly prove: boolean
  readonly replace: boolean
  readonly json: boolean
}

/** There is a database already, and nobody said that it may go. */
export class DatabaseThere extends Schema.TaggedError<DatabaseThere>()("DatabaseThere", { file: Schema.String }) {
  override get message() {
    return `There is a database already: ${this.file}. With --replace it is put aside, into backups beside it.`
  }
}

const prove = Effect.fnUntraced(function* ({ json, source }: Options) {
  const { dataDir } = yield* AppConfig
  const proof = yield* proveAndRecord(source, dataDir)
  if (json) return yield* writeJson(proof)
  yield* print(
    line(
      span("✓ ", "good"),
      `${source} can be restored: up to ${proof.newestEventAt ?? "no event yet"}, ${duration(proof.lagSeconds * 1000)} behind`
    )
  )
})

const replaceBy = Effect.fnUntraced(function* ({ json, replace, source }: Options) {
  const { dataDir } = yield* AppConfig
  const files = yield* FileSystem.FileSystem
  yield* files.makeDirectory(dataDir, { recursive: true, mode: 0o700 })
  yield* lock(dataDir).pipe(Effect.catchIf(isLockedByOther, () => new DataDirInUse({ path: dataDir })))
  const file = fileIn(dataDir)
  if (!replace && (yield* files.exists(file))) return yield* new DatabaseThere({ file })
  const restored = yield* putBack(source, dataDir)
  if (json) return yield* writeJson({ source, dataDir, ...restored })
  yield* print(line(span("✓ ", "good"), `${dataDir} is restored, up to ${restored.newest.at || "no event yet"}`))
  if (restored.replaced !== null) yield* Console.error(`The database that was there is kept as ${restored.replaced}.`)
  yield* Console.error(
    "Access tokens that were revoked after the backup are good again: see `errand token list`, and revoke them."
  )
})

export const restore = Effect.fn("restore")(
  (options: Options) => (options.prove ? prove(options) : replaceBy(options)),
  // @effect-diagnostics-next-line strictEffectProvide:off -- a command is an entry point
  (effect) => Effect.scoped(Effect.provide(effect, Layer.merge(settings.layer, Reactivity.layer)))
)
