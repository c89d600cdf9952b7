/**
 * Runs the schedules: one fiber that sleeps until one is due, and settles its slots one by one.
 *
 * A slot is settled in one transaction, with its task and with the slot that comes next, so that a crash repeats none.
 */
import { type Cause, Effect, FiberMap, Layer, Option } from "effect"
import { DiskSpace } from "../services/DiskSpace.ts"
import type { TaskId } from "../services/Ids.ts"
import { type Schedule, Schedules } from "../services/Schedules.ts"
import { parseSlots } from "../services/slots.ts"
import { TaskQueue } from "../services/TaskQueue.ts"
import { TaskRunner } from "../services/TaskRunner.ts"
import { dueSlots } from "./schedules/dueSlots.ts"
import { makeSettleSlot } from "./schedules/settleSlot.ts"
import { now } from "./timestamp.ts"

/** How long to wait when something could not be stored. */
const storagePause = "2 seconds"

/** The next look finds again what is due. */
const orLater = (trouble: string) =>
  Effect.catchAllCause((cause: Cause.Cause<unknown>) =>
    Effect.zipRight(Effect.logWarning(`${trouble}; it is tried again.`, cause), Effect.sleep(storagePause))
  )

export const layer = Layer.scopedDiscard(
  Effect.gen(function* () {
    const schedules = yield* Schedules
    const queue = yield* TaskQueue
    const runner = yield* TaskRunner
    const disk = yield* DiskSpace
    const settleSlot = yield* makeSettleSlot
    const stops = yield* FiberMap.make<TaskId, void, never>()
    const startedAt = yield* now

    const stop = (id: TaskId) =>
      FiberMap.run(stops, id, Effect.zipRight(runner.stop(id), queue.wake), { onlyIfMissing: true })

    const settleAll = Effect.fnUntraced(function* (due: Schedule) {
      const slots = yield* Effect.orDie(parseSlots(due.cron, due.timeZone))
      let schedule = due
      for (const slot of yield* dueSlots(due, slots, { now: yield* now, startedAt })) {
        const settled = yield* settleSlot(schedule, slot)
        if (Option.isNone(settled)) return
        const { replaced, run } = settled.value
        yield* Effect.forEach(replaced, stop, { discard: true })
        if (run.taskId !== null) yield* queue.wake
        schedule = { ...schedule, nextRunAt: slot.next }
      }
    })

    const settleDue = Effect.flatMap(
      // Below the floor nobody gets a new task: slots that pass meanwhile were missed, and are told so.
      Effect.zipLeft(schedules.due, disk.until(false)),
      Effect.forEach((schedule) =>
        settleAll(schedule).pipe(
          orLater("A schedule could not be settled"),
          Effect.annotateLogs({ scheduleId: schedule.id })
        )
      )
    )
    yield* settleDue.pipe(orLater("Schedules could not be read"), Effect.forever, Effect.forkScoped)
  })
)
