/**
 * What becomes of one slot: a task, or the reason why there is none.
 *
 * Owns: the overlap policy. Everything here happens in the transaction that settles the slot.
 */
import { Effect, Either, Option } from "effect"
import { ClaudeClient } from "../../services/ClaudeClient.ts"
import { makeDrafts } from "../../services/draftTask.ts"
import type { TaskId } from "../../services/Ids.ts"
import { type Schedule, type ScheduleRun, Schedules } from "../../services/Schedules.ts"
import * as TaskCommands from "../../services/TaskCommands.ts"
import { TaskRepo } from "../../services/TaskRepo.ts"
import type { TaskStatus } from "../../services/TaskStatus.ts"
import { now } from "../timestamp.ts"
import type { DueSlot } from "./dueSlots.ts"

const unfinished: ReadonlyArray<TaskStatus> = ["queued", "running", "waiting", "paused"]
/** Tasks of one schedule that have not ended: more than it can get done would fill the queue. */
const mostUnfinished = 100

const noModel = {
  status: "failed",
  reason: "model_not_configured",
  detail: "This server has no key for a model. Its owner sets ANTHROPIC_API_KEY and starts it again."
} as const

/** Gives the tasks that were cancelled for the new one: their runs have yet to be stopped. None when the slot is another's. */
export const makeSettleSlot = Effect.gen(function* () {
  const schedules = yield* Schedules
  const repo = yield* TaskRepo
  const claude = yield* ClaudeClient
  const draftOf = yield* makeDrafts

  const fire = Effect.fnUntraced(function* (schedule: Schedule, hasModel: boolean, replaced: Array<TaskId>) {
    const { id, owner, overlap, task } = schedule
    const { items } = yield* repo.list(
      { owner, schedule: id, status: unfinished },
      { limit: mostUnfinished, cursor: Option.none() }
    )
    const [blocking] = items
    if (blocking !== undefined && overlap === "skip") {
      const detail = `The task ${blocking.id} of this schedule is still ${blocking.status}.`
      return { status: "skipped", reason: "overlap", detail, blockedBy: blocking.id } as const
    }
    if (overlap === "allow" && items.length === mostUnfinished) {
      const detail = `${mostUnfinished} tasks of this schedule have not ended.`
      return { status: "skipped", reason: "overlap", detail, blockedBy: blocking?.id ?? null } as const
    }
    if (!hasModel) return noModel
    const draft = yield* Effect.either(draftOf(owner, task, id))
    if (Either.isLeft(draft)) {
      const reason = draft.left._tag === "TaskRefused" ? draft.left.code : "repository_url_refused"
      return { status: "failed", reason, detail: draft.left.message } as const
    }
    if (overlap === "replace") {
      yield* Effect.forEach(items, (old) => repo.change(old.id, TaskCommands.cancel), { discard: true })
      replaced.push(...items.map((old) => old.id))
    }
    const created = yield* repo.create(draft.right)
    return { status: "started", taskId: created.task.id } as const
  })

  return Effect.fnUntraced(function* (schedule: Schedule, due: DueSlot) {
    const hasModel = yield* claude.configured
    const replaced: Array<TaskId> = []
    const outcome = Effect.gen(function* () {
      const became =
        due.missed === null ? yield* fire(schedule, hasModel, replaced) : ({ status: "missed", ...due.missed } as const)
      const run: ScheduleRun = {
        slot: due.slot,
        through: due.through,
        reason: null,
        detail: null,
        taskId: null,
        blockedBy: null,
        recordedAt: yield* now,
        ...became
      }
      return run
    })
    return Option.map(yield* schedules.settle(schedule, due.next, outcome), (run) => ({ run, replaced }))
  })
})
