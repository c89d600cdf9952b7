/** Reads a task of the user who asks; another's is not there. */
import { Effect } from "effect"
import type { TaskId } from "../../services/Ids.ts"
import { TaskRepo } from "../../services/TaskRepo.ts"
import { CurrentPrincipal } from "../api/Authentication.ts"

export const makeOwned = Effect.map(
  TaskRepo,
  (repo) => (id: TaskId) => Effect.flatMap(CurrentPrincipal, ({ user }) => repo.getOwned(user.id, id))
)
