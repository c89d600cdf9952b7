/**
 * Figures that are read when somebody asks for metrics, instead of kept up to date.
 */
import { DateTime, Effect, Metric, Option } from "effect"
import { Backups } from "../services/Backups.ts"
import { DiskSpace } from "../services/DiskSpace.ts"
import { TaskRepo } from "../services/TaskRepo.ts"
import type { TaskStatus } from "../services/TaskStatus.ts"

const tasks = Metric.gauge("errand_tasks", { description: "Tasks that are not final, by status." })

const disk = Metric.gauge("errand_disk_free_bytes", { description: "Free space where the data lives." })

const memory = Metric.gauge("process_resident_memory_bytes", { description: "Resident memory." })

const cpu = Metric.gauge("process_cpu_seconds_total", { description: "CPU time, user and system." })

const uptime = Metric.gauge("process_uptime_seconds", { description: "Time since the start of the server." })

const replicating = Metric.gauge("errand_replication_up", {
  description: "1 when the program that replicates the database answers."
})

const lag = Metric.gauge("errand_replication_lag_seconds", {
  description: "Time of which everything may not be replicated yet."
})

const wal = Metric.gauge("errand_wal_bytes", { description: "Size of the database's write-ahead log." })

const provenAt = Metric.gauge("errand_restore_proven_timestamp_seconds", {
  description: "When a restore was last proven to work."
})

const provenLag = Metric.gauge("errand_restore_proven_lag_seconds", {
  description: "Time of which everything would have been lost in that restore."
})

const backupGauges = Effect.map(Backups, ({ lastProof, replication }) =>
  Effect.gen(function* () {
    const known = yield* replication
    if (Option.isSome(known)) {
      yield* Metric.set(replicating, known.value.running ? 1 : 0)
      yield* Metric.set(wal, known.value.walBytes)
      if (Option.isSome(known.value.lagSeconds)) yield* Metric.set(lag, known.value.lagSeconds.value)
    }
    const proof = yield* lastProof
    if (Option.isSome(proof)) {
      yield* Metric.set(provenAt, DateTime.toEpochMillis(DateTime.unsafeMake(proof.value.provenAt)) / 1000)
      yield* Metric.set(provenLag, proof.value.lagSeconds)
    }
  })
)

const unfinished: ReadonlyArray<TaskStatus> = ["queued", "running", "waiting", "paused"]

export const makeGauges = Effect.map(Effect.all([TaskRepo, DiskSpace, backupGauges]), ([repo, { free }, backups]) =>
  Effect.gen(function* () {
    const found = yield* repo.withStatus(unfinished)
    for (const status of unfinished) {
      const count = found.filter((task) => task.status === status).length
      yield* Metric.set(Metric.tagged(tasks, "status", status), count)
    }
    const { user, system } = process.cpuUsage()
    yield* Metric.set(memory, process.memoryUsage.rss())
    yield* Metric.set(cpu, (user + system) / 1e6)
    yield* Metric.set(uptime, process.uptime())
    const room = yield* free
    if (Option.isSome(room)) yield* Metric.set(disk, room.value)
    yield* backups
  })
)
