/**
 * A transaction that waits for its turn, and how it runs as if its caller ran it.
 *
 * Owns: the context inside a transaction; taking a caller's context to the fiber that writes, and the exit back.
 * Does not own: when it runs and whether it is committed (`TransactionSqlite.ts`).
 */
import { TransactionConnection } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { type Cause, Context, Deferred, Effect, Exit, type FiberRefs } from "effect"
import type { StorageFull } from "../../services/Transaction.ts"
import { isFull } from "./failures.ts"

/** The transaction that is open here. */
export class OpenTransaction extends Context.Tag("errand/layers/sqlite/OpenTransaction")<
  OpenTransaction,
  {
    readonly connection: Connection
    readonly afterCommit: Array<Effect.Effect<void>>
    /** False once it has ended: a fiber that was forked inside has kept the context, not the transaction. */
    active: boolean
    /** Lack of space ends the whole transaction, whoever caught the failure: SQLite may have rolled it back. */
    full: boolean
  }
>() {}

export interface TransactionJob {
  state: "waiting" | "begun" | "dropped"
  /** Runs as its caller. */
  readonly work: (connection: Connection) => Effect.Effect<FinishedJob>
  /** Gives the caller the failure of the storage; without effect once the job is settled. */
  readonly fail: (cause: Cause.Cause<StorageFull>) => Effect.Effect<void>
}

export interface FinishedJob {
  readonly exit: Exit.Exit<unknown, unknown>
  readonly full: boolean
  /** Runs, as its caller, what was left for after the commit. */
  readonly announce: Effect.Effect<void>
  /** Gives the caller the exit. */
  readonly settle: Effect.Effect<void>
}

/** With all that another fiber had set: context, clock, log annotations, spans; and without pausing for other fibers. */
const asCaller = <A, E>(refs: FiberRefs.FiberRefs, effect: Effect.Effect<A, E>): Effect.Effect<Exit.Exit<A, E>> =>
  Effect.flatMap(Effect.getFiberRefs, (own) =>
    Effect.updateFiberRefs(() => refs).pipe(
      Effect.zipRight(Effect.exit(Effect.withMaxOpsBeforeYield(effect, Number.MAX_SAFE_INTEGER))),
      Effect.zipLeft(Effect.updateFiberRefs(() => own))
    )
  )

const announceAll = (hooks: ReadonlyArray<Effect.Effect<void>>): Effect.Effect<void> =>
  Effect.forEach(
    hooks,
    Effect.catchAllCause((cause) => Effect.logError("What follows a commit failed.", cause)),
    { discard: true }
  )

export const makeJob = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const context = yield* Effect.context<R>()
  const refs = yield* Effect.getFiberRefs
  const done = yield* Deferred.make<A, E | StorageFull>()
  const job: TransactionJob = {
    state: "waiting",
    work: Effect.fnUntraced(function* (connection) {
      const open = OpenTransaction.of({ connection, afterCommit: [], active: true, full: false })
      const inside = Context.add(context, OpenTransaction, open).pipe(
        Context.add(TransactionConnection, [connection, 0])
      )
      const exit = yield* asCaller(refs, Effect.provide(effect, inside))
      open.active = false
      return {
        exit,
        full: open.full || (Exit.isFailure(exit) && isFull(exit.cause)),
        announce: Effect.asVoid(asCaller(refs, announceAll(open.afterCommit))),
        settle: Deferred.done(done, exit)
      }
    }),
    fail: (cause) => Deferred.failCause(done, cause)
  }
  return { job, result: Deferred.await(done) }
})
