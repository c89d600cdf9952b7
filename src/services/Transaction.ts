/**
 * All or nothing.
 *
 * Owns: running an effect so that everything it writes is stored together, or not at all; telling observers only then.
 * Does not own: what is written.
 */
import { Context, type Effect, Schema } from "effect"

/** No space is left where the data lives. Nothing of the change was stored; the same call succeeds when there is space. */
export class StorageFull extends Schema.TaggedError<StorageFull>()("StorageFull", {}) {
  override get message() {
    return "There is no space left on the server's disk. Free some space; Errand goes on by itself."
  }
}

export class Transaction extends Context.Tag("errand/services/Transaction")<
  Transaction,
  {
    /**
     * Runs `effect` in a transaction and succeeds when it is committed. A failure or an interruption rolls it back.
     * Inside another transaction it joins that one. Many transactions of one moment share one commit.
     * The effect must only touch storage: every other writer waits for it.
     */
    readonly run: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | StorageFull, R>
    /** Runs `effect` once the transaction that is open here has been committed, or at once when none is open. */
    readonly afterCommit: (effect: Effect.Effect<void>) => Effect.Effect<void>
  }
>() {}
