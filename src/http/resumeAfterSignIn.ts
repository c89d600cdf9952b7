/** What a new credential sets going: the tasks of its owner that wait for one for this host. */
import { Effect, Either } from "effect"
import { AppConfig } from "../services/AppConfig.ts"
import type { UserId } from "../services/Ids.ts"
import { parse } from "../services/RepositoryUrl.ts"
import type { Task } from "../services/Task.ts"
import { signedIn } from "../services/TaskCommands.ts"
import { TaskQueue } from "../services/TaskQueue.ts"
import { TaskRepo } from "../services/TaskRepo.ts"

export const resumeAfterSignIn = Effect.gen(function* () {
  const config = yield* AppConfig
  const repo = yield* TaskRepo
  const queue = yield* TaskQueue
  const policy = { trustedHosts: config.trustedGitHosts, allowLocal: config.allowLocalRepositories }
  const isAt = (host: string) => (task: Task) =>
    Either.match(parse(task.repository.url, policy), { onLeft: () => false, onRight: (url) => url.host === host })

  return Effect.fnUntraced(function* (owner: UserId, host: string) {
    const paused = yield* repo.withStatus(["paused"])
    const waiting = paused.filter((task) => task.owner === owner).filter(isAt(host))
    // A task that was ended or deleted in between has no use for the credential.
    yield* Effect.forEach(waiting, ({ id }) => Effect.ignore(repo.change(id, signedIn)), { discard: true })
    yield* queue.wake
  })
})
