/**
 * The people on this server, for its owners.
 */
import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { Accounts, User } from "../../services/Accounts.ts"
import { NewUser } from "../api/UsersApi.ts"
import { Api } from "../Api.ts"
import { command } from "../idempotent.ts"
import { ownerRequired } from "../ownerRequired.ts"
import { makeRemoveUser } from "../removeUser.ts"
import { Hub } from "../stream/Hub.ts"
import { asProblem, notFound } from "../translate.ts"

const invite = command({ body: NewUser, answer: User, status: 201 })

export const layer = HttpApiBuilder.group(Api, "users", (handlers) =>
  Effect.gen(function* () {
    const accounts = yield* Accounts
    const hub = yield* Hub
    const removeUser = yield* makeRemoveUser

    return handlers
      .handle("list", () =>
        Effect.zipRight(
          ownerRequired,
          Effect.map(accounts.users, (items) => ({ items, nextCursor: null }))
        )
      )
      .handleRaw("invite", () =>
        Effect.zipRight(
          ownerRequired,
          invite(({ login, role }) => Effect.map(accounts.invite(login, role), (value) => ({ value })), Effect.void)
        ).pipe(asProblem)
      )
      .handle("remove", ({ path: { userId } }) =>
        Effect.gen(function* () {
          yield* ownerRequired
          if (!(yield* Effect.uninterruptible(removeUser(userId)))) return yield* notFound
          yield* hub.recheck
        }).pipe(asProblem)
      )
  })
)
