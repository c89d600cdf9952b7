/**
 * A transaction that waits for its turn, and how it runs as if its caller ran it.
 *
 * Owns: the context inside a transaction; taking a caller's context to the fiber that writes, and the exit back.
 * Does not own: when it runs and whether it is committed (`TransactionSqlite.ts`).
 */
import { TransactionConnection } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { type Cause, Context, Deferred, Effect, Exit, FiberRef, FiberRefs, Option } from "effect"
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

export const openHere: Effect.Effect<Option.Option<typeof OpenTransaction.Service>> = Effect.map(
  Effect.serviceOption(OpenTransaction),
  Option.filter((open) => open.active)
)

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
  /** Runs, as its caller, what a success left for after the commit. */
  readonly announce: Effect.Effect<void>
  /** Gives the caller the exit. */
  readonly settle: Effect.Effect<void>
}

/** With all that another fiber had set: context, clock, log annotations, spans. */
const withRefs = <A, E>(refs: FiberRefs.FiberRefs, effect: Effect.Effect<A, E>): Effect.Effect<Exit.Exit<A, E>> =>
  Effect.flatMap(Effect.getFiberRefs, (own) =>
    Effect.updateFiberRefs(() => refs).pipe(
      Effect.zipRight(Effect.exit(effect)),
      Effect.zipLeft(Effect.updateFiberRefs(() => own))
    )
  )

const announceAll = (hooks: ReadonlyArray<Effect.Effect<void>>): Effect.Effect<void> =>
  Effect.forEach(
    hooks,
    Effect.catchAllCause((cause) => Effect.logError("What follows a commit failed.", cause)),
    { discard: true }
  )

/** `run` hands the job over and waits for its result, with all that the calling fiber has set. */
export const withJob = <A, E, R, B, E1>(
  effect: Effect.Effect<A, E, R>,
  run: (job: TransactionJob, result: Effect.Effect<A, E | StorageFull>) => Effect.Effect<B, E1>
): Effect.Effect<B, E1, R> =>
  Effect.contextWithEffect((context: Context.Context<R>) =>
    Effect.withFiberRuntime((fiber) => {
      const done = Deferred.unsafeMake<A, E | StorageFull>(fiber.id())
      // In one go: no other fiber may come between and see what is not committed.
      const refs = FiberRefs.updateAs(fiber.getFiberRefs(), {
        fiberId: fiber.id(),
        fiberRef: FiberRef.currentMaxOpsBeforeYield,
        value: Number.MAX_SAFE_INTEGER
      })
      const work = (connection: Connection) => {
        const open = OpenTransaction.of({ connection, afterCommit: [], active: true, full: false })
        const inside = Context.add(context, OpenTransaction, open).pipe(
          Context.add(TransactionConnection, [connection, 0])
        )
        return Effect.map(withRefs(refs, Effect.provide(effect, inside)), (exit): FinishedJob => {
          open.active = false
          const silent = Exit.isFailure(exit) || open.afterCommit.length === 0
          return {
            exit,
            full: open.full || (Exit.isFailure(exit) && isFull(exit.cause)),
            announce: silent ? Effect.void : Effect.asVoid(withRefs(refs, announceAll(open.afterCommit))),
            settle: Deferred.done(done, exit)
          }
        })
      }
      return run({ state: "waiting", work, fail: (cause) => Deferred.failCause(done, cause) }, Deferred.await(done))
    })
  )
