/**
 * Comments of forges that were acted on, for ever: a webhook that comes again, for whatever reason, does nothing.
 *
 * Owns: one mark for each comment.
 * Does not own: what a comment means (`addressed.ts`).
 */
import { Context, type Effect } from "effect"
import type { StorageFull } from "./Transaction.ts"

export interface ForgeComment {
  readonly host: string
  /** Comments on issues and on lines of pull requests are numbered each for themselves. */
  readonly kind: "issue" | "review"
  readonly id: number
}

export class ForgeComments extends Context.Tag("errand/services/ForgeComments")<
  ForgeComments,
  {
    /** True for the first who asks, and for nobody after. Joins the transaction that is open here. */
    readonly claim: (comment: ForgeComment) => Effect.Effect<boolean, StorageFull>
  }
>() {}
