/** What of a task's conversation and checkpoints belongs to the line of work that it is on. */
import type { Message } from "../../../services/Message.ts"
import type { Checkpoint } from "../../../services/TaskRepo.ts"
import type { TaskRecord } from "./taskState.ts"

interface Reach {
  readonly messages: number
  readonly checkpoints: number
}

/** The present line and those before it, each with how many messages and checkpoints still count. */
const presentPath = ({ lines, task }: TaskRecord): ReadonlyMap<number, Reach> => {
  const path = new Map<number, Reach>()
  let reach: Reach = { messages: Number.POSITIVE_INFINITY, checkpoints: Number.POSITIVE_INFINITY }
  let line: number | undefined = task.line
  while (line !== undefined) {
    path.set(line, reach)
    const fork = lines.get(line)
    reach = {
      messages: Math.min(reach.messages, fork?.messages ?? 0),
      checkpoints: Math.min(reach.checkpoints, fork?.checkpoints ?? 0)
    }
    line = fork?.parent
  }
  return path
}

/** All messages, oldest first. */
export const messagesOf = (
  record: TaskRecord
): ReadonlyArray<{ readonly message: Message; readonly startsOver: boolean }> => {
  const path = presentPath(record)
  return record.messages.map(({ line, message, startsOver }, index) => ({
    startsOver,
    message: { ...message, superseded: index >= (path.get(line)?.messages ?? 0) }
  }))
}

/** What the model sees of the conversation. */
export const conversationOf = (record: TaskRecord): ReadonlyArray<Message> => {
  const present = messagesOf(record).filter(({ message }) => !message.superseded)
  const start = present.findLastIndex(({ startsOver }) => startsOver)
  return present.slice(Math.max(start, 0)).map(({ message }) => message)
}

/** All checkpoints, oldest first. */
export const checkpointsOf = (record: TaskRecord): ReadonlyArray<Checkpoint> => {
  const path = presentPath(record)
  return record.checkpoints.map(({ checkpoint, line }, index) => ({
    ...checkpoint,
    superseded: index >= (path.get(line)?.checkpoints ?? 0)
  }))
}
