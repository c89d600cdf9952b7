/** What `errand logs` does. */
import { Effect, type Option, type Redacted, Schema } from "effect"
import { TaskId } from "../../services/Ids.ts"
import { Interrupted, WrongUsage } from "../outcome.ts"
import { Signals } from "../Signals.ts"
import { connection, make } from "./ErrandClient.ts"
import { watchTask } from "./watchTask.ts"

interface LogsOptions {
  readonly server: string
  readonly token: Option.Option<Redacted.Redacted>
  readonly task: string
  readonly follow: boolean
  readonly json: boolean
}

const taskId = (text: string) =>
  Effect.mapError(
    Schema.decode(TaskId)(text),
    () => new WrongUsage({ problem: `"${text}" is not the id of a task: task_ and 26 digits and capital letters.` })
  )

export const logs = Effect.fn("logs")(function* (options: LogsOptions) {
  const signals = yield* Signals
  const id = yield* taskId(options.task)
  const at = yield* connection(options)
  const client = yield* make(at)
  // It says what is wrong with server, token or task at once, where the stream would try again.
  yield* client.tasks.get({ path: { taskId: id } })
  const ended = yield* Effect.raceFirst(
    Effect.asVoid(watchTask(at, client, id, { json: options.json, until: options.follow ? "final" : "told" })),
    signals.first
  )
  if (ended !== undefined) return yield* new Interrupted({ signal: ended })
})
