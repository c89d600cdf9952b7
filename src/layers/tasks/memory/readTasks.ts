/** Reading what TaskRepoMemory keeps. */
import { Array, HashMap, Option, Order } from "effect"
import type { TaskId } from "../../../services/Ids.ts"
import type { Task } from "../../../services/Task.ts"
import type { Page, PageRequest, TaskFilter } from "../../../services/TaskRepo.ts"
import { keyOf, positionOf, toPage } from "../pages.ts"
import { phrasesOf } from "../phrases.ts"
import { spell, type TaskRecord, type TaskState } from "./taskState.ts"

/** The place of a task in a list: by birth, then by id. */
const placeOf = (task: Task): string => `${task.createdAt} ${task.id}`

const byPlace = Order.mapInput(Order.string, placeOf)

/** Every phrase occurs in some text. The beginning of a word counts, where FTS5 compares stems. */
const matches = (record: TaskRecord, query: string): boolean => {
  const phrases = phrasesOf(query)
  return phrases.length > 0 && phrases.every((words) => record.searchable.some((text) => text.includes(spell(words))))
}

const satisfies =
  (filter: TaskFilter) =>
  (record: TaskRecord): boolean =>
    record.task.owner === filter.owner &&
    (filter.status?.includes(record.task.status) ?? true) &&
    (filter.repository === undefined || record.task.repository.url === filter.repository) &&
    (filter.schedule === undefined || record.task.scheduleId === filter.schedule) &&
    (filter.tag === undefined || record.task.tags.includes(filter.tag)) &&
    (filter.q === undefined || filter.q.trim() === "" || matches(record, filter.q))

export const listTasks = (state: TaskState, filter: TaskFilter, page: PageRequest): Page<Task> => {
  const before = Option.getOrElse(keyOf(page), () => "9999")
  const found = HashMap.toValues(HashMap.filter(state.records, satisfies(filter)))
    .map(({ task }) => task)
    .filter((task) => placeOf(task) < before)
  return toPage(Array.sort(found, Order.reverse(byPlace)), page, placeOf, (task) => task)
}

export const tasksWhere = (state: TaskState, predicate: (task: Task) => boolean): ReadonlyArray<Task> =>
  Array.sort(
    HashMap.toValues(state.records)
      .map(({ task }) => task)
      .filter(predicate),
    byPlace
  )

export const recordOf = (state: TaskState, id: TaskId): Option.Option<TaskRecord> => HashMap.get(state.records, id)

/** Items in their order, which have the positions 1, 2, 3. */
export const pageOf = <A>(items: ReadonlyArray<A>, page: PageRequest): Page<A> => {
  const after = positionOf(page, 0)
  const rest = items.map((item, index) => ({ item, position: index + 1 })).filter(({ position }) => position > after)
  return toPage(
    rest,
    page,
    ({ position }) => position,
    ({ item }) => item
  )
}

/** The same items, newest first. */
export const pageBackOf = <A>(items: ReadonlyArray<A>, page: PageRequest): Page<A> => {
  const before = positionOf(page, Number.MAX_SAFE_INTEGER)
  const rest = items.map((item, index) => ({ item, position: index + 1 })).filter(({ position }) => position < before)
  return toPage(
    rest.toReversed(),
    page,
    ({ position }) => position,
    ({ item }) => item
  )
}
