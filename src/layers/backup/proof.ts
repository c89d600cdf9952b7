/**
 * The last time that a restore was proven to work, kept as `restore-proof.json` in the data directory.
 */
import { FileSystem } from "@effect/platform"
import { DateTime, Effect, Option, Schema } from "effect"
import { join } from "node:path"
import { RestoreProof } from "../../services/Backups.ts"
import { Timestamp } from "../../services/Task.ts"
import { fileIn } from "../Sqlite.ts"
import { firstEventAfter, newestEventIn } from "./checkDatabase.ts"
import { ownerOnly } from "./copyDatabase.ts"
import { prove } from "./restore.ts"

const nameIn = (dataDir: string) => join(dataDir, "restore-proof.json")

const text = Schema.parseJson(RestoreProof)

/** None where nothing was ever proven, or what was recorded can't be read. */
export const readProof = (dataDir: string) =>
  Effect.flatMap(FileSystem.FileSystem, (files) => files.readFileString(nameIn(dataDir))).pipe(
    Effect.flatMap(Schema.decode(text)),
    Effect.option
  )

/** How long ago the first event was stored that the restored database lacks of what was there before it began. */
const lagOf = Effect.fnUntraced(function* (dataDir: string, restoredUpTo: number, begun: DateTime.Utc, before: number) {
  if (restoredUpTo >= before) return 0
  const lost = yield* firstEventAfter(fileIn(dataDir), restoredUpTo)
  const at = Option.flatMap(Option.fromNullable(lost), DateTime.make)
  return Option.match(at, {
    onNone: () => 0,
    onSome: (moment) => Math.max(0, DateTime.distance(moment, begun) / 1000)
  })
})

/** Restores beside the live database, compares the two, and records it. A failure leaves the last proof as it was. */
export const proveAndRecord = Effect.fn("proveAndRecord")(function* (source: string, dataDir: string) {
  const files = yield* FileSystem.FileSystem
  const begun = yield* DateTime.now
  const file = fileIn(dataDir)
  const live = (yield* files.exists(file)) ? yield* newestEventIn(file) : { position: 0, at: "" }
  const { newest } = yield* prove(source, dataDir)
  const lagSeconds = yield* lagOf(dataDir, newest.position, begun, live.position)
  const proof: RestoreProof = {
    provenAt: Timestamp.make(DateTime.formatIso(begun)),
    lagSeconds,
    newestEventAt: newest.at === "" ? null : Timestamp.make(newest.at)
  }
  const draft = `${nameIn(dataDir)}.new`
  // @effect-diagnostics-next-line preferSchemaOverJson:off -- it was made here
  yield* files.writeFileString(draft, `${JSON.stringify(proof)}\n`, { mode: ownerOnly.file })
  yield* files.rename(draft, nameIn(dataDir))
  return proof
})
