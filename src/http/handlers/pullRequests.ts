/**
 * The pull request of a task, when a person asks for it.
 */
import { HttpApiBuilder } from "@effect/platform"
import { Effect, Either, Option } from "effect"
import { AppConfig } from "../../services/AppConfig.ts"
import { Forge, ForgeFailed } from "../../services/Forge.ts"
import { forgeOf } from "../../services/forges.ts"
import { GitStore } from "../../services/GitStore.ts"
import type { TaskId } from "../../services/Ids.ts"
import { openPullRequest, pullRequestNews } from "../../services/openPullRequest.ts"
import { NotNow } from "../../services/TaskCommands.ts"
import { TaskRepo } from "../../services/TaskRepo.ts"
import { isFinal } from "../../services/TaskStatus.ts"
import { Problem } from "../api/Problem.ts"
import { NoBody } from "../api/requests.ts"
import { TaskView } from "../api/TaskView.ts"
import { Api } from "../Api.ts"
import { command } from "../idempotent.ts"
import { makeViews } from "../taskView.ts"
import { asProblem } from "../translate.ts"
import { makeOwned } from "./ownedTask.ts"

const act = command({ body: NoBody, answer: TaskView, status: 200 })

/** Longer than a forge takes that answers at all; a client waits no longer either. */
const patience = "45 seconds"

const noForge = Problem.of(
  "delivery_unavailable",
  "Errand knows of no forge at this repository's host; the operator can name it in ERRAND_FORGES."
)

const tooSlow = new ForgeFailed({
  reason: "unavailable",
  retryable: true,
  waitMs: null,
  detail: "The forge takes too long. Ask again: what it has done by then is found."
})

export const layer = HttpApiBuilder.group(Api, "pullRequests", (handlers) =>
  Effect.gen(function* () {
    const settings = yield* AppConfig
    const repo = yield* TaskRepo
    const forge = yield* Forge
    const store = yield* GitStore
    const owned = yield* makeOwned
    const views = yield* makeViews

    const bring = Effect.fnUntraced(
      function* (id: TaskId) {
        const task = yield* owned(id)
        if (Option.isNone(forgeOf(task.repository.url, settings))) return yield* noForge
        if (!isFinal(task.status)) {
          return yield* new NotNow({ status: task.status, remedy: "Its pull request can be opened when it has ended." })
        }
        if (task.pushedCommit === null) {
          return yield* new NotNow({ status: task.status, remedy: "It has pushed no branch that could be requested." })
        }
        return yield* openPullRequest(task, task.pushedCommit).pipe(
          Effect.timeoutFail({ duration: patience, onTimeout: () => tooSlow })
        )
      },
      Effect.provideService(AppConfig, settings),
      Effect.provideService(Forge, forge),
      Effect.provideService(GitStore, store),
      Effect.provideService(TaskRepo, repo)
    )

    return handlers.handleRaw("open", ({ path: { taskId } }) =>
      Effect.gen(function* () {
        // Asked for once, before the transaction in which it is stored.
        const brought = yield* Effect.cached(bring(taskId))
        const store = Effect.gen(function* () {
          const pullRequest = yield* brought
          const { seq, task } = yield* repo.change(taskId, (now) => Either.right(pullRequestNews(now, pullRequest)))
          return { value: yield* views.after(task, seq) }
        })
        return yield* act(() => store, Effect.void, Effect.asVoid(brought))
      }).pipe(asProblem)
    )
  })
)
