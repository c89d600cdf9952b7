/** Ids that count 1, 2, 3 for each kind, so that a test can name the next one. */
import { Effect, Layer } from "effect"
import { DeviceId, Ids, MessageId, QuestionId, ScheduleId, TaskId, UserId } from "../services/Ids.ts"

const counting = (): Effect.Effect<string> => {
  let count = 0
  return Effect.sync(() => `${++count}`.padStart(26, "0"))
}

export const layer: Layer.Layer<Ids> = Layer.sync(Ids, () => ({
  task: Effect.map(counting(), (digits) => TaskId.make(`task_${digits}`)),
  message: Effect.map(counting(), (digits) => MessageId.make(`msg_${digits}`)),
  question: Effect.map(counting(), (digits) => QuestionId.make(`question_${digits}`)),
  schedule: Effect.map(counting(), (digits) => ScheduleId.make(`schedule_${digits}`)),
  user: Effect.map(counting(), (digits) => UserId.make(`user_${digits}`)),
  device: Effect.map(counting(), (digits) => DeviceId.make(`device_${digits}`)),
  plain: counting()
}))
