/** What `errand run` does. */
import { Effect, Option, type Redacted } from "effect"
import { text } from "node:stream/consumers"
import { WrongUsage } from "../outcome.ts"
import { connection, make } from "./ErrandClient.ts"
import { newTask, type TaskOptions } from "./newTask.ts"
import { submit, watchToEnd } from "./runTask.ts"

interface RunOptions extends TaskOptions {
  readonly server: string
  readonly token: Option.Option<Redacted.Redacted>
  readonly detach: boolean
  readonly json: boolean
}

const standardInput = Effect.tryPromise({
  try: () => text(process.stdin),
  catch: () => new WrongUsage({ problem: "The prompt can't be read from standard input." })
})

export const run = Effect.fn("run")(function* (options: RunOptions) {
  if (options.hosts.length > 0 && Option.getOrElse(options.network, () => "") !== "allowlist") {
    return yield* new WrongUsage({ problem: "--allow-host goes with --network allowlist." })
  }
  const at = yield* connection(options)
  const prompt = options.prompt === "-" ? yield* standardInput : options.prompt
  const client = yield* make(at)
  const task = yield* submit(client, newTask({ ...options, prompt }), options)
  return options.detach ? undefined : yield* watchToEnd(at, client, task, options)
})
