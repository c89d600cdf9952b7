/** Ids, streams and events that no two tests share. */
import { Effect } from "effect"
import { EventBus, type StreamName, taskStream } from "../../src/services/EventBus.ts"
import { MessageId, TaskId, UserId } from "../../src/services/Ids.ts"
import type { TaskEvent } from "../../src/services/TaskEvent.ts"

let count = 0
const digits = () => `${++count}`.padStart(26, "0")

export const newTaskId = (): TaskId => TaskId.make(`task_${digits()}`)
export const newUserId = (): UserId => UserId.make(`user_${digits()}`)
export const newMessageId = (): MessageId => MessageId.make(`msg_${digits()}`)
export const newStream = (): StreamName => taskStream(newTaskId())

/** The types of all events of a stream. */
export const typesOf = (stream: StreamName) =>
  Effect.flatMap(EventBus, (bus) =>
    Effect.map(bus.read(stream, 0, 1000), (events) => events.map(({ event }) => event.type))
  )

/** An event that says where it comes from. */
export const note = (text: string): TaskEvent => ({ type: "network.blocked", host: text, reason: "test" })

export const textOf = (event: { readonly type: string; readonly host?: string }): string => event.host ?? event.type
