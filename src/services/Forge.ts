/**
 * The forge where a repository lives: a GitHub, a Gitea, a Forgejo.
 *
 * Owns: finding, opening, describing and watching pull requests in the name of a user, and what a forge's refusals mean.
 * Does not own: which forge a repository lives at (`forges.ts`), what a pull request says (`pullRequestText.ts`), git
 * itself (`GitStore.ts`), sign-in (`ForgeTokens.ts`).
 */
import { Context, type Effect, type Option, Schema } from "effect"
import type { StoreKey } from "./GitStore.ts"
import type { PullRequest } from "./Task.ts"

/** The forge did not do what it was asked for. `retryable`: it may later, without anybody's doing. */
export class ForgeFailed extends Schema.TaggedError<ForgeFailed>()("ForgeFailed", {
  reason: Schema.Literal("auth", "not_found", "rate_limited", "unavailable", "refused"),
  retryable: Schema.Boolean,
  /** Milliseconds that the forge asks to wait, where it says so. */
  waitMs: Schema.NullOr(Schema.Int),
  /** One line for people, without any credential. */
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** A pull request as a list has it. */
export interface FoundPullRequest {
  readonly url: string
  readonly number: number
  readonly state: PullRequest["state"]
  readonly draft: boolean
  readonly body: string
  /** What the branch held when the forge last looked. */
  readonly head: string
}

export interface NewPullRequest {
  readonly branch: string
  /** The branch to merge into; null for the default branch. */
  readonly base: string | null
  readonly title: string
  readonly body: string
  readonly draft: boolean
}

export class Forge extends Context.Tag("errand/services/Forge")<
  Forge,
  {
    /** The pull request of a branch: the open one, or else the newest. */
    readonly find: (key: StoreKey, branch: string) => Effect.Effect<Option.Option<FoundPullRequest>, ForgeFailed>
    /** Opens a pull request. When the branch has an open one, also by a request whose answer was lost, gives that. */
    readonly open: (key: StoreKey, request: NewPullRequest) => Effect.Effect<FoundPullRequest, ForgeFailed>
    readonly describe: (key: StoreKey, number: number, body: string) => Effect.Effect<void, ForgeFailed>
    /** As it is now, with the checks of its head and what its reviewers say. */
    readonly look: (key: StoreKey, number: number) => Effect.Effect<PullRequest, ForgeFailed>
    /** Marks a comment as seen; again changes nothing. `review`: it stands on a line of a pull request. */
    readonly acknowledge: (
      key: StoreKey,
      comment: { readonly id: number; readonly review: boolean }
    ) => Effect.Effect<void, ForgeFailed>
  }
>() {}
