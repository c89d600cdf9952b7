/** What only owners of the server may do. */
import { Effect } from "effect"
import { CurrentPrincipal } from "./api/Authentication.ts"
import { Problem } from "./api/Problem.ts"

const refusal = Problem.of("owner_required", "Ask an owner of this server.")

export const ownerRequired = Effect.flatMap(CurrentPrincipal, ({ user }) =>
  user.role === "owner" ? Effect.void : refusal
)
