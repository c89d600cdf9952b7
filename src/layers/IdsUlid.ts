/** Ids from the clock and a random source: unique everywhere, and rising inside this process even when the clock steps back. */
import { Clock, Effect, Layer } from "effect"
import { monotonicFactory } from "ulid"
import { DeviceId, Ids, MessageId, QuestionId, ScheduleId, TaskId, UserId } from "../services/Ids.ts"

export const layer: Layer.Layer<Ids> = Layer.sync(Ids, () => {
  const next = monotonicFactory()
  const plain = Effect.map(Clock.currentTimeMillis, (now) => next(now))
  return Ids.of({
    task: Effect.map(plain, (ulid) => TaskId.make(`task_${ulid}`)),
    message: Effect.map(plain, (ulid) => MessageId.make(`msg_${ulid}`)),
    question: Effect.map(plain, (ulid) => QuestionId.make(`question_${ulid}`)),
    schedule: Effect.map(plain, (ulid) => ScheduleId.make(`schedule_${ulid}`)),
    user: Effect.map(plain, (ulid) => UserId.make(`user_${ulid}`)),
    device: Effect.map(plain, (ulid) => DeviceId.make(`device_${ulid}`)),
    plain
  })
})
