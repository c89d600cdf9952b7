/**
 * When the last `errand backup` was finished and where it is, kept as `last-backup.json` in the data directory.
 */
import { FileSystem } from "@effect/platform"
import { Effect, Schema } from "effect"
import { join } from "node:path"
import { Timestamp } from "../../services/Task.ts"
import { replaceKept } from "../keptFile.ts"

export const LastBackup = Schema.Struct({ madeAt: Timestamp, path: Schema.String }).annotations({
  identifier: "LastBackup"
})
export interface LastBackup extends Schema.Schema.Type<typeof LastBackup> {}

const nameIn = (dataDir: string) => join(dataDir, "last-backup.json")

const text = Schema.parseJson(LastBackup)

export const recordBackup = Effect.fn("recordBackup")((dataDir: string, backup: LastBackup) =>
  Effect.flatMap(Schema.encode(text)(backup), (line) => replaceKept(nameIn(dataDir), line))
)

/** None where no backup was ever made, or what was recorded can't be read. */
export const readLastBackup = (dataDir: string) =>
  Effect.flatMap(FileSystem.FileSystem, (files) => files.readFileString(nameIn(dataDir))).pipe(
    Effect.flatMap(Schema.decode(text)),
    Effect.option
  )
