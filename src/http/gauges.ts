/**
 * Figures that are read when somebody asks for metrics, instead of kept up to date.
 */
import { Effect, Metric } from "effect"
import { TaskRepo } from "../services/TaskRepo.ts"
import type { TaskStatus } from "../services/TaskStatus.ts"

const tasks = Metric.gauge("errand_tasks", { description: "Tasks that are not final, by status." })

const memory = Metric.gauge("process_resident_memory_bytes", { description: "Resident memory." })

const cpu = Metric.gauge("process_cpu_seconds_total", { description: "CPU time, user and system." })

const uptime = Metric.gauge("process_uptime_seconds", { description: "Time since the start of the server." })

const unfinished: ReadonlyArray<TaskStatus> = ["queued", "running", "waiting", "paused"]

export const makeGauges = Effect.map(TaskRepo, (repo) =>
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
  })
)
