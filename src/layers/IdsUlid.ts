/** Ids from the clock and a random source: unique everywhere, and rising inside this process even when the clock steps back. */
import { Clock, Effect, Layer } from "effect"
import { randomBytes } from "node:crypto"
import { monotonicFactory } from "ulid"
import { DeviceId, Ids, MessageId, QuestionId, ScheduleId, TaskId, UserId } from "../services/Ids.ts"

/** For so many characters at once: to be asked for one costs the system's generator as much as for all of them. */
const poolBytes = 256

/** The library's own source would load the whole of Web Crypto when the server starts. */
const makeRandom = () => {
  let pool: Uint8Array = new Uint8Array()
  let used = 0
  return () => {
    if (used === pool.length) {
      pool = randomBytes(poolBytes)
      used = 0
    }
    return (pool[used++] ?? 0) / 256
  }
}

export const layer: Layer.Layer<Ids> = Layer.sync(Ids, () => {
  const next = monotonicFactory(makeRandom())
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
