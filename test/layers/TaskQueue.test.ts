import { assert, describe, it } from "@effect/vitest"
import { FastCheck, Layer, Option } from "effect"
import * as AccountsMemory from "../../src/layers/AccountsMemory.ts"
import * as AccountsSqlite from "../../src/layers/AccountsSqlite.ts"
import * as IdsUlid from "../../src/layers/IdsUlid.ts"
import { inOrder, nextMoment, nextToStart, type QueuedTask, type Shares } from "../../src/layers/queue/queueOrder.ts"
import * as TaskQueueMemory from "../../src/layers/TaskQueueMemory.ts"
import * as TaskQueueSqlite from "../../src/layers/TaskQueueSqlite.ts"
import * as SecretsMemory from "../../src/layers/SecretsMemory.ts"
import * as TaskRepoMemory from "../../src/layers/TaskRepoMemory.ts"
import * as TaskRepoSqlite from "../../src/layers/TaskRepoSqlite.ts"
import { TaskId, UserId } from "../../src/services/Ids.ts"
import type { RunReason } from "../../src/services/TaskStatus.ts"
import { eventsMemory, eventsSqlite } from "../support/storageLayers.ts"
import { taskLeaseContract } from "../support/taskLeaseContract.ts"
import { taskQueueContract } from "../support/taskQueueContract.ts"

const memory = Layer.merge(TaskRepoMemory.layer, AccountsMemory.layer).pipe(
  Layer.provideMerge(eventsMemory),
  Layer.provideMerge(Layer.merge(IdsUlid.layer, SecretsMemory.layer))
)
const sqlite = Layer.merge(TaskRepoSqlite.layer, AccountsSqlite.layer).pipe(
  Layer.provideMerge(eventsSqlite),
  Layer.provideMerge(Layer.merge(IdsUlid.layer, SecretsMemory.layer))
)

taskQueueContract("TaskQueueMemory", memory, TaskQueueMemory.layer)
taskLeaseContract("TaskQueueMemory", memory, TaskQueueMemory.layer)
taskQueueContract("TaskQueueSqlite", sqlite, TaskQueueSqlite.layer)
taskLeaseContract("TaskQueueSqlite", sqlite, TaskQueueSqlite.layer)

const now = "2026-01-01T00:00:10.000Z"
const moment = FastCheck.integer({ min: 0, max: 20 }).map(
  (second) => `2026-01-01T00:00:${`${second}`.padStart(2, "0")}.000Z`
)
const owner = FastCheck.constantFrom(1, 2, 3).map((digit) => UserId.make(`user_${"0".repeat(25)}${digit}`))

const reasons: ReadonlyArray<RunReason> = ["start", "start", "recovery", "shutdown", "retry"]

const queue: FastCheck.Arbitrary<ReadonlyArray<QueuedTask>> = FastCheck.array(
  FastCheck.record({
    owner,
    priority: FastCheck.constantFrom(0, 0, 0, 1),
    queuedReason: FastCheck.constantFrom(...reasons),
    queuedAt: moment,
    recoveries: FastCheck.nat(3),
    startAt: FastCheck.option(moment),
    expiresAt: FastCheck.constant(null)
  }),
  { maxLength: 12 }
).map((tasks) => tasks.map((task, index) => ({ ...task, id: TaskId.make(`task_${`${index}`.padStart(26, "0")}`) })))

const shares: FastCheck.Arbitrary<Shares> = FastCheck.record({
  slots: FastCheck.array(FastCheck.tuple(owner, FastCheck.nat(3))).map((entries) => new Map(entries)),
  served: FastCheck.array(FastCheck.tuple(owner, FastCheck.nat(9))).map((entries) => new Map(entries))
})

/** Starts one task after the other, as the server would with all the slots in the world. */
const startAll = (
  tasks: ReadonlyArray<QueuedTask>,
  { served, slots }: Shares,
  start: number = 100
): ReadonlyArray<QueuedTask> =>
  Option.match(nextToStart(tasks, { served, slots }, now, Number.POSITIVE_INFINITY), {
    onNone: () => [],
    onSome: (next) => {
      const rest = tasks.filter((task) => task !== next)
      const after = {
        slots: new Map(slots).set(next.owner, (slots.get(next.owner) ?? 0) + 1),
        served: new Map(served).set(next.owner, start)
      }
      return [next, ...startAll(rest, after, start + 1)]
    }
  })

describe("queueOrder", () => {
  it.prop(
    "is the order in which tasks start one after the other, and then those that must wait",
    [queue, shares],
    ([tasks, before]) => {
      const order = inOrder(tasks, before, now)
      const due = startAll(tasks, before)
      assert.deepStrictEqual(order.slice(0, due.length), due)
      const rest = order.slice(due.length)
      assert.strictEqual(order.length, tasks.length)
      assert.isTrue(rest.every(({ startAt }) => startAt !== null && startAt > now))
      assert.deepStrictEqual(
        rest.map(({ startAt }) => startAt),
        rest.map(({ startAt }) => startAt).toSorted()
      )
    }
  )

  it.prop(
    "starts nothing for an owner who has had enough",
    [queue, shares, FastCheck.integer({ min: 1, max: 3 })],
    ([tasks, before, most]) => {
      const next = Option.getOrUndefined(nextToStart(tasks, before, now, most))
      const mayStart = (task: QueuedTask) =>
        (before.slots.get(task.owner) ?? 0) < most && (task.startAt === null || task.startAt <= now)
      assert.strictEqual(next !== undefined, tasks.some(mayStart))
      if (next !== undefined) assert.isTrue(mayStart(next))
    }
  )

  it.prop("names the next moment at which the clock alone changes something", [queue], ([tasks]) => {
    const starts = tasks.flatMap(({ startAt }) => (startAt !== null && startAt > now ? [startAt] : []))
    assert.deepStrictEqual(nextMoment(tasks, now), Option.fromNullable(starts.toSorted()[0]))
  })
})
