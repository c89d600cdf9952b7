/**
 * Backups with Litestream beside the server, asked every second for its metrics; and the proofs of `errand restore`.
 */
import { FetchHttpClient, FileSystem, HttpClient } from "@effect/platform"
import { Clock, Duration, Effect, Layer, Option, Ref, Schedule } from "effect"
import { AppConfig } from "../services/AppConfig.ts"
import { Backups, type Replication } from "../services/Backups.ts"
import { makeLag, parseMetrics } from "./backup/LitestreamMetrics.ts"
import { readProof } from "./backup/proof.ts"
import { DataDir } from "./DataDirLock.ts"
import { fileIn } from "./Sqlite.ts"

const interval = Duration.seconds(1)
/** Litestream checkpoints at 4 MB: a log many times as large is one that nobody takes away. */
const largestWal = 64 * 2 ** 20
const longestLag = 60
/** A restart of Litestream is no alarm. */
const longestSilence = Duration.toMillis(Duration.seconds(30))

const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`

const alarmOf = (silentMs: number, { lagSeconds, walBytes }: Omit<Replication, "alarm">): Option.Option<string> => {
  if (silentMs > longestSilence) {
    return Option.some(
      `Litestream has not answered for ${Math.round(silentMs / 1000)} s: what is stored now is stored here only. Start it, and see its log.`
    )
  }
  if (walBytes > largestWal) {
    return Option.some(
      `The write-ahead log has grown to ${megabytes(walBytes)}: Litestream does not take it away. See its log.`
    )
  }
  return Option.map(
    Option.filter(lagSeconds, (seconds) => seconds > longestLag),
    (seconds) => `The replica is ${Math.round(seconds)} s behind. See Litestream's log.`
  )
}

const tell = (before: Replication, after: Replication) => {
  if (Option.isSome(after.alarm))
    return Option.isSome(before.alarm) ? Effect.void : Effect.logWarning(after.alarm.value)
  return Option.isSome(before.alarm) ? Effect.logInfo("Litestream replicates again.") : Effect.void
}

const watch = Effect.fnUntraced(function* (url: string) {
  const { path } = yield* DataDir
  const files = yield* FileSystem.FileSystem
  const client = HttpClient.filterStatusOk(yield* HttpClient.HttpClient)
  const file = fileIn(path)
  const lag = makeLag()
  let answeredAt = yield* Clock.currentTimeMillis

  const look = Effect.gen(function* () {
    const metrics = yield* client.get(url).pipe(
      Effect.flatMap((response) => response.text),
      Effect.map((text) => parseMetrics(text, file)),
      Effect.scoped,
      Effect.timeout(interval),
      Effect.orElseSucceed(Option.none)
    )
    const walBytes = yield* files.stat(`${file}-wal`).pipe(
      Effect.map(({ size }) => Number(size)),
      Effect.orElseSucceed(() => 0)
    )
    const now = yield* Clock.currentTimeMillis
    if (Option.isSome(metrics)) answeredAt = now
    const lagSeconds = Option.flatMap(metrics, (known) => lag(now, known))
    const seen = { running: Option.isSome(metrics), lagSeconds, walBytes }
    return { ...seen, alarm: alarmOf(now - answeredAt, seen) } satisfies Replication
  })

  const state = yield* Ref.make(yield* look)
  yield* Effect.flatMap(look, (after) =>
    Effect.flatMap(Ref.getAndSet(state, after), (before) => tell(before, after))
  ).pipe(Effect.schedule(Schedule.spaced(interval)), Effect.forkScoped)
  return Ref.get(state)
})

const make = Effect.gen(function* () {
  const { litestreamUrl } = yield* AppConfig
  const { path } = yield* DataDir
  const files = yield* FileSystem.FileSystem
  const watched = yield* Effect.transposeOption(Option.map(litestreamUrl, watch))
  return Backups.of({
    replication: Effect.transposeOption(watched),
    lastProof: Effect.provideService(readProof(path), FileSystem.FileSystem, files)
  })
})

export const layer: Layer.Layer<Backups, never, AppConfig | DataDir | FileSystem.FileSystem> = Layer.scoped(
  Backups,
  make
).pipe(Layer.provide(FetchHttpClient.layer))
