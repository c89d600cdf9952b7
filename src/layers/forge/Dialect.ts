/**
 * What GitHub and Gitea say differently. Both answer about one repository.
 */
import { Effect, type Option } from "effect"
import type { ForgeFailed, FoundPullRequest, NewPullRequest } from "../../services/Forge.ts"
import type { PullRequest } from "../../services/Task.ts"

export interface Dialect {
  readonly find: (branch: string) => Effect.Effect<Option.Option<FoundPullRequest>, ForgeFailed>
  readonly create: (request: NewPullRequest & { readonly base: string }) => Effect.Effect<FoundPullRequest, ForgeFailed>
  readonly defaultBranch: Effect.Effect<string, ForgeFailed>
  readonly describe: (number: number, body: string) => Effect.Effect<void, ForgeFailed>
  readonly look: (number: number) => Effect.Effect<PullRequest, ForgeFailed>
  readonly react: (comment: { readonly id: number; readonly review: boolean }) => Effect.Effect<void, ForgeFailed>
}

/** The open one, or else the first: forges list the newest first. */
export const foremost = (found: ReadonlyArray<FoundPullRequest>): FoundPullRequest | undefined =>
  found.find(({ state }) => state === "open") ?? found[0]

type Checks = PullRequest["checks"]

/** One failure outweighs all, and what is not done yet outweighs what is. */
export const together = (parts: ReadonlyArray<Checks>): Checks =>
  (["failed", "pending", "passed"] as const).find((one) => parts.includes(one)) ?? "none"

/** What a token may not see is as if it were not there: checks have a permission of their own. */
export const ifVisible = <A>(effect: Effect.Effect<A, ForgeFailed>, otherwise: A): Effect.Effect<A, ForgeFailed> =>
  Effect.catchIf(
    effect,
    ({ reason }) => reason === "refused" || reason === "not_found",
    () => Effect.succeed(otherwise)
  )

/** The verdict of all reviewers; of each the last one counts. */
export const verdict = (
  reviews: ReadonlyArray<{ readonly by: string; readonly says: PullRequest["review"] }>
): PullRequest["review"] => {
  const last = new Map(reviews.map(({ by, says }) => [by, says]))
  const all = [...last.values()]
  return all.includes("changes_requested") ? "changes_requested" : all.includes("approved") ? "approved" : "none"
}
