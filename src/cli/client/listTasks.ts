/** What `errand tasks` does. */
import { Clock, Effect, type Option, type Redacted } from "effect"
import type { TaskView } from "../../http/api/TaskView.ts"
import type { TaskStatus } from "../../services/TaskStatus.ts"
import { WrongUsage } from "../outcome.ts"
import { tellTasks } from "../render/tellTasks.ts"
import { Screen, writeJson } from "../Screen.ts"
import { connection, type ErrandClient, make } from "./ErrandClient.ts"
import { given } from "./newTask.ts"

interface ListOptions {
  readonly server: string
  readonly token: Option.Option<Redacted.Redacted>
  readonly status: ReadonlyArray<TaskStatus>
  readonly repository: Option.Option<string>
  readonly tag: Option.Option<string>
  readonly q: Option.Option<string>
  readonly limit: number
  readonly json: boolean
}

/** What the server gives at once. */
const pageSize = 200

const firstTasks = Effect.fnUntraced(function* (client: ErrandClient, options: ListOptions) {
  const found: Array<TaskView> = []
  let cursor: string | null = null
  do {
    const page: { readonly items: ReadonlyArray<TaskView>; readonly nextCursor: string | null } =
      yield* client.tasks.list({
        urlParams: {
          limit: Math.min(pageSize, options.limit - found.length),
          ...(options.status.length > 0 ? { status: options.status } : {}),
          ...given("repository", options.repository),
          ...given("tag", options.tag),
          ...given("q", options.q),
          ...(cursor === null ? {} : { cursor })
        }
      })
    found.push(...page.items)
    cursor = page.nextCursor
  } while (cursor !== null && found.length < options.limit)
  return found
})

export const listTasks = Effect.fn("listTasks")(function* (options: ListOptions) {
  if (options.limit < 1 || options.limit > 1_000) {
    return yield* new WrongUsage({ problem: "--limit must be a number from 1 to 1000." })
  }
  const client = yield* make(yield* connection(options))
  const tasks = yield* firstTasks(client, options)
  if (options.json) return yield* Effect.forEach(tasks, writeJson, { discard: true })
  const screen = yield* Screen
  yield* screen.print(tellTasks(tasks, yield* Clock.currentTimeMillis))
})
