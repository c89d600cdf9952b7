/** What `errand backup` does. */
import * as Reactivity from "@effect/experimental/Reactivity"
import { Effect, Layer, Option } from "effect"
import { join, resolve } from "node:path"
import { backup as make } from "../../layers/backup/backup.ts"
import { recordBackup } from "../../layers/backup/lastBackup.ts"
import { AppConfig } from "../../services/AppConfig.ts"
import { Timestamp } from "../../services/Task.ts"
import { bytes, count } from "../render/figures.ts"
import { line, span } from "../render/Line.ts"
import { print, writeJson } from "../Screen.ts"
import * as settings from "./settings.ts"

export const backup = Effect.fn("backup")(
  function* (options: { readonly to: Option.Option<string>; readonly databaseOnly: boolean; readonly json: boolean }) {
    const { dataDir } = yield* AppConfig
    const target = Option.getOrElse(options.to, () => join(dataDir, "backups"))
    const made = yield* make(dataDir, target, { repositories: !options.databaseOnly })
    yield* recordBackup(dataDir, { madeAt: Timestamp.make(made.createdAt), path: resolve(made.path) })
    if (options.json) return yield* writeJson(made)
    const total = made.files.reduce((sum, file) => sum + file.bytes, 0)
    const repositories = count(made.files.length - 1, "repository").replace("repositorys", "repositories")
    yield* print(line(span(made.path, "accent"), `: the database and ${repositories}, ${bytes(total)}`))
  },
  // @effect-diagnostics-next-line strictEffectProvide:off -- a command is an entry point
  (effect) => Effect.scoped(Effect.provide(effect, Layer.merge(settings.layer, Reactivity.layer)))
)
