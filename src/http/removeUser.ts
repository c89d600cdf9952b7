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
  const stopRun = yield* makeStopRun
  const { github } = yield* AppConfig

  const cancelTasks = Effect.fnUntraced(function* (id: UserId) {
    const tasks = (yield* repo.withStatus(unfinished)).filter(({ owner }) => owner === id)
    for (const task of tasks) {
      // One that ended in between needs no cancelling.
      yield* Effect.ignore(repo.change(task.id, cancel))
      yield* stopRun.begin(task.id)
    }
  })

  /** False when there is no such user. */
  return Effect.fnUntraced(function* (id: UserId) {
    if (!(yield* accounts.remove(id))) return false
    yield* forgeTokens.remove(id, new URL(github.url).host)
    for (const { host } of yield* credentials.list(id)) yield* credentials.remove(id, host)
    for (const { name } of yield* secrets.list(id)) yield* secrets.remove(id, name)
    for (const schedule of (yield* schedules.list(id, allSchedules)).items) {
      yield* Effect.ignore(schedules.update(id, schedule.id, { enabled: false }))
    }
    yield* cancelTasks(id)
    return true
  })
})
