/**
 * The order in which waiting tasks start. Pure, so that every TaskQueue agrees on it.
 *
 * What a dead or stopped server left comes first, then the higher priority, then the owner with fewer tasks running, then
 * the owner who was served longest ago, then the older task. A task that may not start yet stands behind all that may.
 */
import { Array, Option, Order } from "effect"
import type { UserId } from "../../services/Ids.ts"
import type { Task, Timestamp } from "../../services/Task.ts"

/** A waiting task, as far as its turn depends on it. */
export type QueuedTask = Pick<Task, "id" | "owner" | "priority" | "queuedReason" | "queuedAt" | "startAt" | "expiresAt">

/** What the owners have had so far. Whoever is missing has none. */
export interface Shares {
  /** Slots in use. */
  readonly slots: ReadonlyMap<UserId, number>
  /** A number that rises with each start of a task: the owner's last one. */
  readonly served: ReadonlyMap<UserId, number>
}

const isDue = (task: QueuedTask, now: Timestamp): boolean => task.startAt === null || task.startAt <= now

/** Only a task that never started expires: one with work done is not thrown away for being late. */
export const isOverdue = (task: QueuedTask, now: Timestamp): boolean =>
  task.queuedReason === "start" && task.expiresAt !== null && task.expiresAt <= now

const wasInterrupted = (task: QueuedTask): boolean =>
  task.queuedReason === "recovery" || task.queuedReason === "shutdown"

const firstIf = <A>(condition: (value: A) => boolean): Order.Order<A> =>
  Order.mapInput(Order.boolean, (value: A) => !condition(value))

const byAge = Order.combine(
  Order.mapInput(Order.string, (task: QueuedTask) => task.queuedAt),
  Order.mapInput(Order.string, (task: QueuedTask) => task.id)
)

const byUrgency = (now: Timestamp): Order.Order<QueuedTask> =>
  Order.combineAll([
    firstIf((task) => isDue(task, now)),
    Order.mapInput(Order.string, (task) => (isDue(task, now) ? "" : (task.startAt ?? ""))),
    firstIf(wasInterrupted),
    Order.reverse(Order.mapInput(Order.number, (task) => task.priority))
  ])

const byShare = ({ served, slots }: Shares): Order.Order<QueuedTask> =>
  Order.combine(
    Order.mapInput(Order.number, (task) => slots.get(task.owner) ?? 0),
    Order.mapInput(Order.number, (task) => served.get(task.owner) ?? 0)
  )

const first = (
  tasks: ReadonlyArray<QueuedTask>,
  shares: Shares,
  urgency: Order.Order<QueuedTask>
): QueuedTask | undefined => {
  const [head, ...rest] = tasks
  const sooner = Order.min(Order.combineAll([urgency, byShare(shares), byAge]))
  return head && rest.reduce((best, task) => sooner(best, task), head)
}

/** The task that may start now, when no owner may use more than `mostPerOwner` slots. */
export const nextToStart = (
  tasks: ReadonlyArray<QueuedTask>,
  shares: Shares,
  now: Timestamp,
  mostPerOwner: number
): Option.Option<QueuedTask> => {
  const may = tasks.filter((task) => isDue(task, now) && (shares.slots.get(task.owner) ?? 0) < mostPerOwner)
  return Option.fromNullable(first(may, shares, byUrgency(now)))
}

/** The order in which the tasks start if nothing else happens, slots become free one by one, and none is ever given back. */
export const inOrder = (
  tasks: ReadonlyArray<QueuedTask>,
  shares: Shares,
  now: Timestamp
): ReadonlyArray<QueuedTask> => {
  const urgency = byUrgency(now)
  const lastFirst = Order.reverse(Order.combine(urgency, byAge))
  const lines = Object.values(Array.groupBy(tasks, (task) => task.owner)).map((line) => line.toSorted(lastFirst))
  const slots = new Map(shares.slots)
  const served = new Map(shares.served)
  const starts = Math.max(0, ...served.values())
  return Array.unfold(starts + 1, (start) => {
    const next = first(
      lines.flatMap((line) => line.at(-1) ?? []),
      { slots, served },
      urgency
    )
    if (next === undefined) return Option.none()
    lines.find((line) => line.at(-1) === next)?.pop()
    slots.set(next.owner, (slots.get(next.owner) ?? 0) + 1)
    served.set(next.owner, start)
    return Option.some([next, start + 1])
  })
}

/** The next moment at which a task may start or expires by the clock alone. */
export const nextMoment = (tasks: ReadonlyArray<QueuedTask>, now: Timestamp): Option.Option<Timestamp> => {
  const moments = tasks
    .flatMap((task) => [task.startAt, task.queuedReason === "start" ? task.expiresAt : null])
    .filter((moment) => moment !== null && moment > now)
  return Option.fromNullable(moments.toSorted()[0])
}
