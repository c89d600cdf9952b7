/**
 * Taking a task back to an earlier point.
 *
 * Owns: finding what the client named, and what has to be put away with what came after it.
 * Does not own: when a task can be rewound, and what that means (`TaskCommands.rewind`).
 */
import { Effect, Option } from "effect"
import { Ids } from "../services/Ids.ts"
import type { Task } from "../services/Task.ts"
import { TaskChange } from "../services/TaskChange.ts"
import * as TaskCommands from "../services/TaskCommands.ts"
import { TaskRepo } from "../services/TaskRepo.ts"
import { Problem } from "./api/Problem.ts"
import type { Rewind } from "./api/requests.ts"

const unknown = Problem.of(
  "invalid_request",
  "checkpoint is none of this task; GET /tasks/{id}/checkpoints lists them.",
  {
    errors: [{ path: "checkpoint", message: "is none of this task" }]
  }
)

/** A task has few open questions at a time: one, as long as tools that ask run one after the other. */
const mostOpen = 100

export const makeRewind = Effect.gen(function* () {
  const repo = yield* TaskRepo
  const ids = yield* Ids

  /** Where the task began is a checkpoint too, without a conversation before it. */
  const find = Effect.fnUntraced(function* (task: Task, commit: Rewind["checkpoint"]) {
    if (commit === task.baseCommit) return { commit, deliveredCommit: null }
    return yield* Option.match(yield* repo.checkpoint(task.id, commit), {
      onNone: () => unknown,
      onSome: Effect.succeed
    })
  })

  return Effect.fnUntraced(function* (task: Task, { checkpoint, message }: Rewind) {
    const target = yield* find(task, checkpoint)
    const open = yield* repo.questions({ task: task.id, status: "open" }, { limit: mostOpen, cursor: Option.none() })
    const said =
      message === undefined
        ? []
        : [TaskChange.MessageQueued({ messageId: yield* ids.message, mode: "steer", content: message })]
    return TaskCommands.rewind(target, open.items, said)
  })
})
