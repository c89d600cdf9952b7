/**
 * What tasks wait for and how long they take, told by their events as they are committed.
 *
 * Owns: the clock of each task that is under way. A task that began before the server did is measured from its next
 * event of a kind that starts a clock.
 */
import { Effect, Layer, Metric, MetricBoundaries } from "effect"
import { EventBus, type StoredEvent } from "../services/EventBus.ts"

const seconds = (name: string, description: string, boundaries: ReadonlyArray<number>) =>
  Metric.histogram(name, MetricBoundaries.fromIterable(boundaries), description)

const patient = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 7200, 14_400]
const quick = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

const queueWait = seconds("errand_queue_wait_seconds", "From the queue to the start of a run.", patient)
const sandboxStart = seconds("errand_sandbox_start_seconds", "From the start of a run to a sandbox.", quick)
const runTime = seconds("errand_run_seconds", "From the start of a run to its end, by how it ended.", patient)
const toolTime = seconds("errand_tool_seconds", "Time of one tool call, by tool.", quick)
const eventLag = seconds(
  "errand_event_lag_seconds",
  "From the making of an event to its being told, after its commit.",
  [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]
)

interface Times {
  queuedAt?: number
  runAt?: number
  readonly tools: Map<string, string>
}

/** More tasks than ever run at once; the ones that were quiet for longest are forgotten. */
const most = 1000

const ends: Readonly<Record<string, string>> = {
  "task.completed": "completed",
  "task.failed": "failed",
  "task.cancelled": "cancelled",
  "task.paused": "paused",
  "task.waiting": "waiting",
  "task.queued": "queued"
}

const since = (from: number | undefined, to: number, update: (seconds: number) => void) => {
  if (from !== undefined) update(Math.max(0, to - from) / 1000)
}

const makeWatch = () => {
  const tasks = new Map<string, Times>()

  const timesOf = (stream: string): Times => {
    const times = tasks.get(stream) ?? { tools: new Map() }
    tasks.delete(stream)
    tasks.set(stream, times)
    const [oldest] = tasks.keys()
    if (tasks.size > most && oldest !== undefined) tasks.delete(oldest)
    return times
  }

  return ({ at, event, stream }: StoredEvent, now: number): void => {
    if (event.type === "task.changed") return
    const moment = Date.parse(at)
    eventLag.unsafeUpdate(Math.max(0, now - moment) / 1000, [])
    const times = timesOf(stream)
    const outcome = ends[event.type]
    if (outcome !== undefined) {
      since(times.runAt, moment, (time) => Metric.tagged(runTime, "outcome", outcome).unsafeUpdate(time, []))
      delete times.runAt
      if (event.type === "task.queued") times.queuedAt = moment
      else if (outcome !== "waiting") tasks.delete(stream)
    } else if (event.type === "task.created") times.queuedAt = moment
    else if (event.type === "run.started") {
      since(times.queuedAt, moment, (time) => queueWait.unsafeUpdate(time, []))
      delete times.queuedAt
      times.runAt = moment
      times.tools.clear()
    } else if (event.type === "sandbox.ready") {
      since(times.runAt, moment, (time) => sandboxStart.unsafeUpdate(time, []))
    } else if (event.type === "tool.started") times.tools.set(event.toolCallId, event.tool)
    else if (event.type === "tool.finished") {
      const tool = times.tools.get(event.toolCallId)
      times.tools.delete(event.toolCallId)
      if (tool !== undefined) Metric.tagged(toolTime, "tool", tool).unsafeUpdate(event.durationMs / 1000, [])
    }
  }
}

export const layer: Layer.Layer<never, never, EventBus> = Layer.scopedDiscard(
  Effect.gen(function* () {
    const bus = yield* EventBus
    const clock = yield* Effect.clock
    const watch = makeWatch()
    yield* bus.listen((news) => {
      if (news._tag !== "Events") return
      const now = clock.unsafeCurrentTimeMillis()
      for (const event of news.events) watch(event, now)
    })
  })
)
