/**
 * The order in which waiting tasks start. Pure, so that every TaskQueue agrees on it.
 *
 * The owner with fewer tasks running comes first, then what a dead or stopped server left, then the owner who was served
 * longest ago. A priority stands behind all of these, so that nobody gets past others by raising his own; it orders the
 * tasks of one owner. Then the older task. A task that may not start yet stands behind all that may.
 */
import { Array, Option, Order } from "effect"
import type { UserId } from "../../services/Ids.ts"
import type { Task, Timestamp } from "../../services/Task.ts"

/** A waiting task, as far as its turn depends on it. */
export type QueuedTask = Pick<
  Task,
  "id" | "owner" | "priority" | "queuedReason" | "queuedAt" | "recoveries" | "startAt" | "expiresAt"
>

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

const byTime = (now: Timestamp): Order.Order<QueuedTask> =>
  Order.combine(
    firstIf((task) => isDue(task, now)),
    Order.mapInput(Order.string, (task) => (isDue(task, now) ? "" : (task.startAt ?? "")))
  )

const interruptedFirst = firstIf(wasInterrupted)

const byPriority = Order.combineAll([
  Order.reverse(Order.mapInput(Order.number, (task: QueuedTask) => task.priority)),
  Order.mapInput(Order.string, (task: QueuedTask) => task.queuedAt),
  Order.mapInput(Order.string, (task: QueuedTask) => task.id)
])

/** Among tasks of one owner it is the order of his line: shares are the same for all of them. */
const byTurn = ({ served, slots }: Shares, now: Timestamp): Order.Order<QueuedTask> =>
  Order.combineAll([
    byTime(now),
    Order.mapInput(Order.number, (task) => slots.get(task.owner) ?? 0),
    interruptedFirst,
    Order.mapInput(Order.number, (task) => served.get(task.owner) ?? 0),
    byPriority
  ])

const first = (tasks: ReadonlyArray<QueuedTask>, shares: Shares, now: Timestamp): QueuedTask | undefined => {
  const [head, ...rest] = tasks
  const sooner = Order.min(byTurn(shares, now))
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
  return Option.fromNullable(first(may, shares, now))
}

/** The order in which the tasks start if nothing else happens, slots become free one by one, and none is ever given back. */
export const inOrder = (
  tasks: ReadonlyArray<QueuedTask>,
  shares: Shares,
  now: Timestamp
): ReadonlyArray<QueuedTask> => {
  const lastFirst = Order.reverse(byTurn(shares, now))
  const lines = Object.values(Array.groupBy(tasks, (task) => task.owner)).map((line) => line.toSorted(lastFirst))
  const slots = new Map(shares.slots)
  const served = new Map(shares.served)
  const starts = Math.max(0, ...served.values())
  return Array.unfold(starts + 1, (start) => {
    const next = first(
      lines.flatMap((line) => line.at(-1) ?? []),
      { slots, served },
      now
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
