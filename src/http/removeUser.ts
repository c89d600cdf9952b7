/**
 * The end of a user: nobody acts for them any longer, and nothing goes on in their name.
 *
 * What their tasks did stays in the database; who invites them again finds it there.
 */
import { Effect, Option } from "effect"
import { Accounts } from "../services/Accounts.ts"
import { AppConfig } from "../services/AppConfig.ts"
import { ForgeTokens } from "../services/ForgeTokens.ts"
import { GitCredentials } from "../services/GitCredentials.ts"
import type { UserId } from "../services/Ids.ts"
import { Schedules } from "../services/Schedules.ts"
import { Secrets } from "../services/Secrets.ts"
import { cancel } from "../services/TaskCommands.ts"
import { TaskRepo } from "../services/TaskRepo.ts"
import { Transaction } from "../services/Transaction.ts"
import { makeStopRun } from "./stopRun.ts"

const unfinished = ["queued", "running", "waiting", "paused"] as const

/** More than a user may have. */
const allSchedules = { limit: 1000, cursor: Option.none() }

export const makeRemoveUser = Effect.gen(function* () {
  const accounts = yield* Accounts
  const credentials = yield* GitCredentials
  const forgeTokens = yield* ForgeTokens
  const repo = yield* TaskRepo
  const schedules = yield* Schedules
  const secrets = yield* Secrets
  const transaction = yield* Transaction
  const stopRun = yield* makeStopRun
  const { github } = yield* AppConfig

  /** Everything that acts for a user, and what their tasks were doing: one without the other would outlive a crash. */
  const end = Effect.fnUntraced(function* (id: UserId) {
    if (!(yield* accounts.remove(id))) return Option.none()
    yield* forgeTokens.remove(id, new URL(github.url).host)
    for (const { host } of yield* credentials.list(id)) yield* credentials.remove(id, host)
    for (const { name } of yield* secrets.list(id)) yield* secrets.remove(id, name)
    for (const schedule of (yield* schedules.list(id, allSchedules)).items) {
      // One in a time zone that nobody knows any more can't be changed.
      yield* schedules
        .update(id, schedule.id, { enabled: false })
        .pipe(Effect.catchTag("SlotsRefused", () => schedules.remove(id, schedule.id)))
    }
    const tasks = (yield* repo.withStatus(unfinished)).filter(({ owner }) => owner === id)
    for (const task of tasks) yield* repo.change(task.id, cancel)
    return Option.some(tasks)
  }, transaction.run)

  /** False when there is no such user. */
  return Effect.fnUntraced(function* (id: UserId) {
    const cancelled = yield* end(id)
    for (const task of Option.getOrElse(cancelled, () => [])) yield* stopRun.begin(task.id)
    return Option.isSome(cancelled)
  })
})
