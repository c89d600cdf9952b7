/** What a new secret sets going: the tasks of its owner that wait for one of this name. */
import { Effect } from "effect"
import type { UserId } from "../services/Ids.ts"
import { secretStored } from "../services/TaskCommands.ts"
import { TaskQueue } from "../services/TaskQueue.ts"
import { TaskRepo } from "../services/TaskRepo.ts"

export const resumeWithSecret = Effect.gen(function* () {
  const repo = yield* TaskRepo
  const queue = yield* TaskQueue

  return Effect.fnUntraced(function* (owner: UserId, name: string) {
    const paused = yield* repo.withStatus(["paused"])
    const waiting = paused.filter((task) => task.owner === owner && task.secrets.includes(name))
    // A task that was ended or deleted in between has no use for the secret.
    yield* Effect.forEach(waiting, ({ id }) => Effect.ignore(repo.change(id, secretStored)), { discard: true })
    yield* queue.wake
  })
})
