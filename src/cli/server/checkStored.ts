/**
 * Checks of what is stored: that it is the server's alone, that its key is there, and that it is also stored elsewhere.
 *
 * Owns: what of it is a finding, and the remedies. Nothing is changed, and every check ends in seconds.
 */
import { FileSystem } from "@effect/platform"
import { Clock, DateTime, Effect, Layer, Option } from "effect"
import { join, resolve } from "node:path"
import { manifestName } from "../../layers/backup/backup.ts"
import { readLastBackup } from "../../layers/backup/lastBackup.ts"
import * as BackupsLitestream from "../../layers/BackupsLitestream.ts"
import { DataDir } from "../../layers/DataDirLock.ts"
import * as Sqlite from "../../layers/Sqlite.ts"
import { secretKeyPath } from "../../layers/VaultAesGcm.ts"
import { AppConfig, type Settings } from "../../services/AppConfig.ts"
import { Backups } from "../../services/Backups.ts"
import { duration } from "../render/figures.ts"
import { type Finding, ok, orAccepted, problem, warning } from "./Finding.ts"

/** Both are done once a day; one that was missed is no finding yet. */
const oldestMs = 2 * 24 * 60 * 60 * 1000

const othersMay = 0o077

const checkPrivacy = Effect.fnUntraced(function* ({ dataDir }: Settings) {
  const files = yield* FileSystem.FileSystem
  const { mode } = yield* files.stat(dataDir)
  return (mode & othersMay) === 0
    ? ok("privacy", "the data directory is for this user alone")
    : warning(
        "privacy",
        `other users of this machine may look into ${dataDir}`,
        `chmod go= ${dataDir}`,
        "data-directory"
      )
})

const checkKey = Effect.fnUntraced(function* ({ dataDir, secretKey }: Settings) {
  const files = yield* FileSystem.FileSystem
  if (Option.isSome(secretKey)) return ok("secret key", "from ERRAND_SECRET_KEY")
  const file = secretKeyPath(dataDir)
  if (yield* files.exists(file)) return ok("secret key", `${file}; no backup has it`)
  return (yield* files.exists(Sqlite.fileIn(dataDir)))
    ? problem(
        "secret key",
        `${file} is missing, and what was sealed with it can't be opened`,
        "Put it back from where you keep it. Without it the next start makes another, and every credential and secret has to be entered again."
      )
    : ok("secret key", "made on the first start")
})

/** Without bringing it up to date, which commands that need it do. */
const checkSchema = Effect.fnUntraced(function* ({ dataDir }: Settings) {
  const files = yield* FileSystem.FileSystem
  const file = Sqlite.fileIn(dataDir)
  if (!(yield* files.exists(file))) return ok("database", "made on the first start")
  // A file that is no database is a defect to the adapter.
  const found = yield* Effect.option(Effect.sandbox(Sqlite.schemaIn(file)))
  if (Option.isNone(found)) return problem("database", `${file} can't be read`, "Restore a backup: errand restore.")
  if (found.value > Sqlite.knownSchema) {
    return problem(
      "database",
      `it has schema ${found.value}, and this version knows ${Sqlite.knownSchema}`,
      "Start the newer version, or restore a backup made before the update."
    )
  }
  return ok(
    "database",
    found.value === Sqlite.knownSchema
      ? `schema ${found.value}`
      : `schema ${found.value}; brought to ${Sqlite.knownSchema} by the next start, which keeps a copy`
  )
})

interface Dated {
  readonly check: string
  readonly what: string
  readonly remedy: string
}

const aged = ({ check, remedy, what }: Dated, at: string, now: number): Finding => {
  const age = now - DateTime.toEpochMillis(DateTime.unsafeMake(at))
  return age > oldestMs
    ? warning(check, `${what} ${duration(age)} ago`, remedy, "backups")
    : ok(check, `${what} ${duration(age)} ago`)
}

const backUp = "Run `errand backup --to DIRECTORY` once a day, to another disk, and keep the secret key apart from it."

const checkBackup = Effect.fnUntraced(function* (dataDir: string, now: number) {
  const files = yield* FileSystem.FileSystem
  const last = yield* readLastBackup(dataDir)
  if (Option.isNone(last)) return warning("backup", "none has been made", backUp, "backups")
  const { madeAt, path } = last.value
  if (!(yield* files.exists(join(path, manifestName)))) {
    return warning("backup", `the last one is not in ${path} any more`, backUp, "backups")
  }
  const finding = aged({ check: "backup", what: "made", remedy: backUp }, madeAt, now)
  if (finding.status === "ok" && resolve(path).startsWith(`${resolve(dataDir)}/`)) {
    return warning("backup", `${path} would be lost together with what it is a backup of`, backUp, "backups")
  }
  return { ...finding, detail: `${finding.detail}, in ${path}` }
})

const checkReplica = Effect.fnUntraced(function* ({ litestreamUrl }: Settings) {
  const replication = yield* Effect.flatMap(Backups, (backups) => backups.replication)
  if (Option.isNone(litestreamUrl) || Option.isNone(replication)) return []
  const { alarm, lagSeconds, running } = replication.value
  const remedy = "Start it and see its log, or unset ERRAND_LITESTREAM_URL: the database's own log grows until then."
  if (!running) return [problem("replica", `Litestream does not answer for it at ${litestreamUrl.value}`, remedy)]
  if (Option.isSome(alarm)) return [warning("replica", alarm.value, remedy, "backups")]
  const behind = Option.match(lagSeconds, {
    onNone: () => "how far it is behind this version does not tell",
    onSome: (seconds) => `${duration(seconds * 1000)} behind`
  })
  return [ok("replica", `Litestream answers, ${behind}`)]
})

/** Of what was never restored nobody knows that it can be. */
const checkProof = Effect.fnUntraced(function* (now: number) {
  const proof = yield* Effect.flatMap(Backups, (backups) => backups.lastProof)
  const remedy = "Run `errand restore --prove SOURCE` once a day, on a backup or on Litestream's configuration."
  return Option.match(proof, {
    onNone: () => warning("restore", "no restore has been proven", remedy, "backups"),
    onSome: ({ provenAt }) => aged({ check: "restore", what: "proven", remedy }, provenAt, now)
  })
})

const elsewhere = BackupsLitestream.layer.pipe(
  Layer.provide(
    Layer.effect(
      DataDir,
      Effect.map(AppConfig, ({ dataDir: path }) => ({ path, serverId: "doctor" }))
    )
  )
)

const checkElsewhere = Effect.fnUntraced(function* (settings: Settings) {
  const now = yield* Clock.currentTimeMillis
  const context = yield* Layer.build(elsewhere)
  const backup = yield* checkBackup(settings.dataDir, now)
  const replica = yield* Effect.provide(checkReplica(settings), context)
  const proof = yield* Effect.provide(checkProof(now), context)
  return [backup, ...replica, proof]
}, Effect.scoped)

/** None where there is no data directory yet, or this user may not look: `checkServer` says so. */
export const checkStored = Effect.gen(function* () {
  const settings = yield* AppConfig
  const found = Effect.gen(function* () {
    return [
      yield* checkPrivacy(settings),
      yield* checkKey(settings),
      yield* checkSchema(settings),
      ...(yield* checkElsewhere(settings))
    ]
  })
  return yield* Effect.matchEffect(found, {
    onFailure: () => Effect.succeed<ReadonlyArray<Finding>>([]),
    onSuccess: (all) => Effect.succeed(all.map(orAccepted(settings.acceptedFindings)))
  })
})
