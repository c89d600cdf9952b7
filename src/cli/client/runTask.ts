/**
 * A task from the terminal: handed over, watched, left alone or cancelled.
 *
 * Owns: what Ctrl-C means. The first one leaves the task alone; a second one, right after, cancels it.
 */
import { Duration, Effect, Option, ParseResult, Schema } from "effect"
import { NewTask } from "../../services/NewTask.ts"
import type { TaskView } from "../../http/api/TaskView.ts"
import type { TaskStatus } from "../../services/TaskStatus.ts"
import { Interrupted, Unsuccessful, WrongUsage } from "../outcome.ts"
import { line, span } from "../render/Line.ts"
import { print, Screen, writeJson } from "../Screen.ts"
import { type Signal, Signals } from "../Signals.ts"
import type { Connection } from "./Connection.ts"
import type { ErrandClient } from "./ErrandClient.ts"
import { watchTask } from "./watchTask.ts"

/** How long a person has for the second Ctrl-C. */
const secondThoughts = Duration.seconds(2)

const quiet = (text: string) => line(span(text, "quiet"))

/** The screen has been cleared of what moved: say where the task is, and wait a moment for a second Ctrl-C. */
const leave = Effect.fnUntraced(function* (
  client: ErrandClient,
  task: TaskView,
  signal: Signal,
  options: { readonly json: boolean }
) {
  if (options.json) return yield* new Interrupted({ signal })
  const { interactive } = yield* Screen
  const signals = yield* Signals
  yield* print(quiet(`the task goes on; see it with: errand logs --follow ${task.id}`))
  if (interactive && signal === "SIGINT") {
    yield* print(quiet("Ctrl-C again, within two seconds, cancels it"))
    const second = yield* Effect.timeoutOption(signals.second, secondThoughts)
    if (Option.contains(second, "SIGINT")) {
      const { status } = yield* client.tasks.cancel({ path: { taskId: task.id } })
      yield* print(line(span(status, "warning")))
    }
  }
  return yield* new Interrupted({ signal })
})

/** Watches a task to its end. Only a completed one is a success. */
export const watchToEnd = Effect.fn("watchToEnd")(function* (
  connection: Connection,
  client: ErrandClient,
  task: TaskView,
  options: { readonly json: boolean }
) {
  const signals = yield* Signals
  const ended = yield* Effect.raceFirst(
    Effect.map(watchTask(connection, client, task.id, { ...options, until: "final" }), (status: TaskStatus) => ({
      status
    })),
    Effect.map(signals.first, (signal) => ({ signal }))
  )
  if ("signal" in ended) return yield* leave(client, task, ended.signal, options)
  if (options.json) yield* writeJson({ type: "task", task: yield* client.tasks.get({ path: { taskId: task.id } }) })
  return ended.status === "completed" ? undefined : yield* new Unsuccessful()
})

const encodeTask = Schema.encode(NewTask, { errors: "all" })

const tellIssues = (error: ParseResult.ParseError): string =>
  ParseResult.ArrayFormatter.formatErrorSync(error)
    .map(({ message, path }) => `${path.map(String).join(".")}: ${message}`)
    .join("\n")

/** Hands a task over; what no server would take is told before one is asked. */
export const submit = Effect.fn("submit")(function* (
  client: ErrandClient,
  newTask: NewTask,
  options: { readonly json: boolean }
) {
  yield* Effect.mapError(encodeTask(newTask), (error) => new WrongUsage({ problem: tellIssues(error) }))
  const task = yield* client.tasks.create({ payload: newTask })
  yield* options.json ? writeJson({ type: "task", task }) : print(quiet(task.id))
  return task
})
