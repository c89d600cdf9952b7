/**
 * Hosts of a task: allowing one more, and telling which were asked for.
 */
import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { Egress } from "../../services/Egress.ts"
import type { TaskId } from "../../services/Ids.ts"
import { NetworkLog } from "../../services/NetworkLog.ts"
import * as TaskCommands from "../../services/TaskCommands.ts"
import { TaskRepo } from "../../services/TaskRepo.ts"
import { NewHost } from "../api/NetworkApi.ts"
import { TaskView } from "../api/TaskView.ts"
import { Api } from "../Api.ts"
import { command } from "../idempotent.ts"
import { makeViews } from "../taskView.ts"
import { asProblem } from "../translate.ts"
import { makeOwned } from "./ownedTask.ts"

const allow = command({ body: NewHost, answer: TaskView, status: 200 })

export const layer = HttpApiBuilder.group(Api, "network", (handlers) =>
  Effect.gen(function* () {
    const repo = yield* TaskRepo
    const egress = yield* Egress
    const log = yield* NetworkLog
    const views = yield* makeViews
    const owned = yield* makeOwned

    /** What is stored by then, so that a repeated request does it too. */
    const letThrough = (id: TaskId) =>
      repo.get(id).pipe(
        Effect.flatMap(({ network }) => Effect.forEach(network.hosts, (host) => egress.allow(id, host))),
        Effect.ignore
      )

    return handlers
      .handleRaw("allow", ({ path: { taskId } }) =>
        allow(
          ({ host }) =>
            Effect.gen(function* () {
              yield* owned(taskId)
              const { seq, task } = yield* repo.change(taskId, TaskCommands.allowHost(host))
              return { value: yield* views.after(task, seq) }
            }),
          letThrough(taskId)
        ).pipe(asProblem)
      )
      .handle("hosts", ({ path: { taskId } }) =>
        owned(taskId).pipe(
          Effect.zipRight(log.list(taskId)),
          Effect.map((items) => ({ items, nextCursor: null })),
          asProblem
        )
      )
  })
)
