/** What a new credential sets going: the tasks of its owner that wait for one for this host. */
import { Effect } from "effect"
import { AppConfig } from "../services/AppConfig.ts"
import type { UserId } from "../services/Ids.ts"
import { hostOf, policyOf } from "../services/RepositoryUrl.ts"
import { signedIn } from "../services/TaskCommands.ts"
import { TaskQueue } from "../services/TaskQueue.ts"
import { TaskRepo } from "../services/TaskRepo.ts"

export const resumeAfterSignIn = Effect.gen(function* () {
  const policy = policyOf(yield* AppConfig)
  const repo = yield* TaskRepo
  const queue = yield* TaskQueue

  return Effect.fnUntraced(function* (owner: UserId, host: string) {
    const paused = yield* repo.withStatus(["paused"])
    const waiting = paused.filter((task) => task.owner === owner && hostOf(task.repository.url, policy) === host)
    // A task that was ended or deleted in between has no use for the credential.
    yield* Effect.forEach(waiting, ({ id }) => Effect.ignore(repo.change(id, signedIn)), { discard: true })
    yield* queue.wake
  })
})
